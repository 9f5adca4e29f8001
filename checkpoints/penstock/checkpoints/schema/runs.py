"""The tables of runs: their tags and steps, and the workers that drive them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from penstock.checkpoints.schema.columns import RowNumber, UtcDateTime, metadata, one_of
from penstock.contracts.run import ENDED, LIVE, FailureCode, RunMode, RunStatus
from penstock.contracts.step import StepKind, StepStatus

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("key", Text),
    Column("thread_id", Text, nullable=False),
    Column("graph", Text, nullable=False),
    Column("graph_version", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("input", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("worker_id", Text),
    Column("lease_expires_at", UtcDateTime),
    Column("lost_count", Integer, nullable=False),
    Column("cancel_by", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("failure_redrivable", Integer),
    Column("mode", Text, nullable=False, server_default=RunMode.LIVE),
    Column("principal", Text, nullable=False, server_default=""),
    Column("cancel_at", UtcDateTime),
    Column("cancel_reason", Text),
    Column("pause_by", Text),
    Column("pause_at", UtcDateTime),
    Column("pause_reason", Text),
    Column("deadline_ms", BigInteger),
    Column("deadline_at", UtcDateTime),
    Column("parent_id", Text),
    # A list of JSON. What is looked for by a tag is found by `run_tags`.
    Column("tags", Text, nullable=False, server_default="[]"),
    CheckConstraint(one_of("status", RunStatus), name="status"),
    UniqueConstraint("tenant", "key"),
    CheckConstraint(
        "(worker_id IS NOT NULL) = (status = 'running')"
        " AND (lease_expires_at IS NOT NULL) = (status = 'running')",
        name="worker",
    ),
    CheckConstraint(f"(ended_at IS NOT NULL) = ({one_of('status', ENDED)})", name="ended"),
    CheckConstraint("(failure_code IS NOT NULL) = (status = 'failed')", name="failure"),
    CheckConstraint(
        "(failure_code IS NULL) = (failure_message IS NULL)"
        " AND (failure_code IS NULL) = (failure_redrivable IS NULL)",
        name="failure_whole",
    ),
    CheckConstraint(one_of("failure_code", FailureCode), name="failure_code"),
)
# The fence looks up the live runs of a thread before every write of a checkpoint.
Index(
    "ix_runs_live_thread_id",
    runs.c.thread_id,
    sqlite_where=text(one_of("status", LIVE)),
    postgresql_where=text(one_of("status", LIVE)),
)
Index("ix_runs_status", runs.c.status, runs.c.changed_at)
Index("ix_runs_worker_id", runs.c.worker_id)
Index(
    "ix_runs_parent_id",
    runs.c.parent_id,
    sqlite_where=text("parent_id IS NOT NULL"),
    postgresql_where=text("parent_id IS NOT NULL"),
)
# What lists of runs are counted and filtered by, without reading the runs themselves.
Index("ix_runs_graph", runs.c.tenant, runs.c.graph, runs.c.status, runs.c.created_at)
Index("ix_runs_tenant", runs.c.tenant, runs.c.id)
Index("ix_runs_tenant_status", runs.c.tenant, runs.c.status, runs.c.id)
Index(
    "ix_runs_exhausted",
    runs.c.tenant,
    runs.c.ended_at,
    sqlite_where=text("failure_code = 'budget_exhausted'"),
    postgresql_where=text("failure_code = 'budget_exhausted'"),
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("tag", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "tag"),
    sqlite_with_rowid=False,
)
Index("ix_run_tags_tenant", run_tags.c.tenant, run_tags.c.tag, run_tags.c.run_id)

steps = Table(
    "steps",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("error", Text),
    UniqueConstraint("run_id", "task_id", "epoch"),
    CheckConstraint(one_of("kind", StepKind), name="kind"),
    CheckConstraint(one_of("status", StepStatus), name="status"),
    CheckConstraint("(ended_at IS NULL) = (status = 'started')", name="ended"),
    CheckConstraint("(error IS NOT NULL) = (status = 'failed')", name="error"),
)

# What each worker reports of itself, and when it was last seen.
workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("graphs", Text, nullable=False),
    Column("slot_count", Integer, nullable=False),
    Column("beat_ms", Integer, nullable=False),
    Column("lease_ms", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("drain_by", Text),
    Column("drain_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    CheckConstraint("(drain_by IS NULL) = (drain_at IS NULL)", name="drain"),
)
Index("ix_workers_seen_at", workers.c.seen_at)
