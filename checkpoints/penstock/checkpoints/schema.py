"""The tables, as SQLAlchemy Core knows them.

The migrations build the same tables step by step; a test holds the two together. Every constraint
and index has a name, so that a migration can speak of it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

from penstock.contracts.effect import EffectStatus, ReportKind
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.run import ENDED, LIVE, FailureCode, RunMode, RunStatus
from penstock.contracts.step import StepKind, StepStatus
from penstock.contracts.tool import EffectClass


class UtcDateTime(TypeDecorator[datetime]):
    """An instant; goes in and comes out with its time zone, which SQLite would drop."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  (SQLAlchemy's signature)
    ) -> datetime | None:
        """Store the instant in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  (SQLAlchemy's signature)
    ) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(column: str, values: Iterable[StrEnum]) -> str:
    """Return the SQL condition that `column` holds one of `values`."""
    names = ", ".join(f"'{value}'" for value in sorted(values))
    return f"{column} IN ({names})"


# SQLite gives a row number only to a column declared exactly INTEGER PRIMARY KEY.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)

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

gates = Table(
    "gates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer_schema", Text),
    Column("answer", Text),
    Column("decided_by", Text),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    Column("effect_key", Text),
    Column("wakes_at", UtcDateTime),
    CheckConstraint(one_of("kind", GateKind), name="kind"),
    CheckConstraint(one_of("status", GateStatus), name="status"),
    CheckConstraint("(closed_at IS NULL) = (status = 'open')", name="closed"),
    CheckConstraint(
        "(decided_by IS NOT NULL) = (status = 'decided')"
        " AND (answer IS NULL OR status IN ('decided', 'expired'))",
        name="decided",
    ),
)
Index("ix_gates_run_id", gates.c.run_id)
Index("ix_gates_status", gates.c.status, gates.c.expires_at)
Index("ix_gates_effect_key", gates.c.effect_key)
Index(
    "ix_gates_wakes_at",
    gates.c.wakes_at,
    sqlite_where=gates.c.wakes_at.is_not(None),
    postgresql_where=gates.c.wakes_at.is_not(None),
)

effects = Table(
    "effects",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("lineage", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("tool_version", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("business_key", Text),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("first_started_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("settles_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("result", Text),
    Column("result_digest", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_retryable", Integer, nullable=False),
    Column("wants_undoing", Integer, nullable=False),
    CheckConstraint(one_of("effect", EffectClass), name="effect"),
    CheckConstraint(one_of("status", EffectStatus), name="status"),
    CheckConstraint("(ended_at IS NULL) = (status = 'started')", name="ended"),
    CheckConstraint(
        "(result IS NOT NULL OR result_digest IS NOT NULL) = (status = 'succeeded')"
        " AND (result IS NULL OR result_digest IS NULL)",
        name="result",
    ),
    CheckConstraint(
        "(error_code IS NOT NULL) = (status IN ('failed', 'in_doubt'))"
        " AND (error_code IS NULL) = (error_message IS NULL)",
        name="error",
    ),
)
Index("ix_effects_run_id", effects.c.run_id)
Index("ix_effects_lineage", effects.c.lineage, effects.c.tool, effects.c.digest)
Index("ix_effects_status", effects.c.status, effects.c.settles_at)
# What protects across runs: nobody begins under a key of business that is taken.
Index(
    "ix_effects_business_key",
    effects.c.tenant,
    effects.c.tool,
    effects.c.business_key,
    unique=True,
    sqlite_where=text("business_key IS NOT NULL AND status <> 'failed'"),
    postgresql_where=text("business_key IS NOT NULL AND status <> 'failed'"),
)

effect_reports = Table(
    "effect_reports",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("effect_key", Text, ForeignKey("effects.key"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", Text),
    CheckConstraint(one_of("kind", ReportKind), name="kind"),
)
Index("ix_effect_reports_effect_key", effect_reports.c.effect_key, effect_reports.c.id)

# Results that are too large to stand in the row, each once.
effect_results = Table(
    "effect_results",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# Where a thread was copied from, first of all; a thread that was not copied has no row.
thread_lineages = Table(
    "thread_lineages",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("lineage", Text, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("run_id", Text),
    Column("detail", Text, nullable=False),
)
Index("ix_audit_events_tenant", audit_events.c.tenant, audit_events.c.id)
Index("ix_audit_events_run_id", audit_events.c.run_id)

checkpoint_namespaces = Table(
    "checkpoint_namespaces",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("checkpoint_ns", Text, nullable=False),
    # Raised whenever stored versions are taken away, so that nobody builds on what is gone.
    Column("generation", BigInteger, nullable=False),
    UniqueConstraint("thread_id", "checkpoint_ns"),
    sqlite_autoincrement=True,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    # The order of arrival. Ids carry the clock of the machine that made them, and a worker whose
    # clock is late must not hide its own checkpoints behind older ones.
    Column("seq", RowNumber, Identity(), primary_key=True),
    Column("namespace_id", BigInteger, nullable=False),
    Column("checkpoint_id", Text, nullable=False),
    Column("parent_id", Text),
    Column("run_id", Text),
    Column("metadata", Text, nullable=False),
    Column("body_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("namespace_id", "checkpoint_id"),
)
Index("ix_checkpoints_namespace_id", checkpoints.c.namespace_id, checkpoints.c.seq)
Index(
    "ix_checkpoints_run_id",
    checkpoints.c.run_id,
    sqlite_where=checkpoints.c.run_id.is_not(None),
    postgresql_where=checkpoints.c.run_id.is_not(None),
)

checkpoint_values = Table(
    "checkpoint_values",
    metadata,
    Column("namespace_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("base_version", BigInteger),
    Column("link_count", Integer, nullable=False),
    Column("key_count", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("namespace_id", "channel", "version"),
)

checkpoint_writes = Table(
    "checkpoint_writes",
    metadata,
    Column("namespace_id", BigInteger, nullable=False),
    Column("checkpoint_id", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("task_path", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("namespace_id", "checkpoint_id", "task_id", "idx"),
    sqlite_with_rowid=False,
)
