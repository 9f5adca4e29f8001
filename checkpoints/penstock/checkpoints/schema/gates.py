"""The tables of gates: votes and delegations, notices to people, annotations of traces."""

from sqlalchemy import (
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
from penstock.checkpoints.schema.runs import runs
from penstock.contracts.gate import Channel, GateKind, GateStatus, NoticeKind, VoteKind
from penstock.contracts.policy import OnExpiry
from penstock.contracts.trace import AnnotationKind

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
    Column("binding", Text),
    Column("policy_digest", Text),
    Column("requester", Text),
    Column("may_confirm_self", Integer, nullable=False, server_default=text("0")),
    Column("on_expiry", Text),
    Column("escalates_at", UtcDateTime),
    Column("escalates_to", Text),
    Column("escalated_at", UtcDateTime),
    Column("consumed_at", UtcDateTime),
    Column("edit_of_digest", Text),
    Column("edit_arguments", Text),
    Column("edit_by", Text),
    Column("cap", Text),
    CheckConstraint(one_of("kind", GateKind), name="kind"),
    CheckConstraint(one_of("status", GateStatus), name="status"),
    CheckConstraint("(closed_at IS NULL) = (status = 'open')", name="closed"),
    CheckConstraint(
        "(status <> 'decided' OR decided_by IS NOT NULL)"
        " AND (decided_by IS NULL OR status IN ('decided', 'superseded'))"
        " AND (answer IS NULL) = (decided_by IS NULL)",
        name="decided",
    ),
    CheckConstraint(
        "(kind = 'approval') = (binding IS NOT NULL)"
        " AND (binding IS NULL) = (requester IS NULL)"
        " AND (binding IS NULL) = (policy_digest IS NULL)"
        " AND (binding IS NULL) = (on_expiry IS NULL)"
        " AND (binding IS NULL OR (effect_key IS NOT NULL AND expires_at IS NOT NULL))",
        name="approval",
    ),
    CheckConstraint("consumed_at IS NULL OR status = 'decided'", name="consumed"),
    CheckConstraint(one_of("on_expiry", OnExpiry), name="on_expiry"),
    CheckConstraint(
        "(edit_of_digest IS NULL) = (edit_arguments IS NULL)"
        " AND (edit_of_digest IS NULL) = (edit_by IS NULL)",
        name="edit",
    ),
)
Index("ix_gates_run_id", gates.c.run_id, gates.c.status)
Index("ix_gates_status", gates.c.status, gates.c.expires_at)
Index("ix_gates_effect_key", gates.c.effect_key)
Index("ix_gates_tenant_closed_at", gates.c.tenant, gates.c.closed_at)
# The gates of calls in doubt: few, of perhaps many gates.
Index(
    "ix_gates_in_doubt",
    gates.c.tenant,
    gates.c.closed_at,
    sqlite_where=text("kind = 'in_doubt'"),
    postgresql_where=text("kind = 'in_doubt'"),
)
# What one binding stands for is asked at one gate at a time.
Index(
    "ix_gates_binding",
    gates.c.effect_key,
    gates.c.binding,
    unique=True,
    sqlite_where=text("binding IS NOT NULL AND status <> 'superseded'"),
    postgresql_where=text("binding IS NOT NULL AND status <> 'superseded'"),
)
# A run asks about one of its caps at one gate at a time.
Index(
    "ix_gates_cap",
    gates.c.run_id,
    gates.c.cap,
    unique=True,
    sqlite_where=text("cap IS NOT NULL AND status = 'open'"),
    postgresql_where=text("cap IS NOT NULL AND status = 'open'"),
)
Index(
    "ix_gates_budget",
    gates.c.tenant,
    gates.c.opened_at,
    sqlite_where=text("kind = 'budget'"),
    postgresql_where=text("kind = 'budget'"),
)
# What sweeps look for, with each beat of each worker, among perhaps many open gates.
Index(
    "ix_gates_wakes_at",
    gates.c.status,
    gates.c.wakes_at,
    sqlite_where=gates.c.wakes_at.is_not(None),
    postgresql_where=gates.c.wakes_at.is_not(None),
)
Index(
    "ix_gates_escalates_at",
    gates.c.status,
    gates.c.escalates_at,
    sqlite_where=text("escalates_at IS NOT NULL AND escalated_at IS NULL"),
    postgresql_where=text("escalates_at IS NOT NULL AND escalated_at IS NULL"),
)

# Who must approve at a gate: so many members of each group.
gate_approvals = Table(
    "gate_approvals",
    metadata,
    Column("gate_id", Text, ForeignKey("gates.id"), nullable=False),
    Column("group_name", Text, nullable=False),
    Column("approval_count", Integer, nullable=False),
    PrimaryKeyConstraint("gate_id", "group_name"),
    CheckConstraint("approval_count > 0", name="approval_count"),
)
Index("ix_gate_approvals_group_name", gate_approvals.c.group_name)

# A seat votes once, and so does a person, whoever's seats they have.
gate_votes = Table(
    "gate_votes",
    metadata,
    Column("gate_id", Text, ForeignKey("gates.id"), nullable=False),
    Column("seat", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text),
    Column("channel", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("gate_id", "seat"),
    UniqueConstraint("gate_id", "person"),
    CheckConstraint(one_of("kind", VoteKind), name="kind"),
    CheckConstraint(one_of("channel", Channel), name="channel"),
    CheckConstraint("kind = 'approve' OR reason IS NOT NULL", name="reason"),
)
Index("ix_gate_votes_person", gate_votes.c.person)

delegations = Table(
    "delegations",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("from_person", Text, nullable=False),
    Column("to_person", Text, nullable=False),
    Column("gate_id", Text, ForeignKey("gates.id")),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    CheckConstraint("from_person <> to_person", name="persons"),
    CheckConstraint("starts_at < ends_at", name="dates"),
)
Index("ix_delegations_to_person", delegations.c.tenant, delegations.c.to_person)

# Notices to groups: sent by workers, independently of the run.
notices = Table(
    "notices",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("gate_id", Text, ForeignKey("gates.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("told", Text),
    Column("closed_at", UtcDateTime),
    Column("outcome", Text),
    UniqueConstraint("gate_id", "kind", "group_name"),
    CheckConstraint(one_of("kind", NoticeKind), name="kind"),
    CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="closed"),
)
Index(
    "ix_notices_due_at",
    notices.c.due_at,
    sqlite_where=notices.c.closed_at.is_(None),
    postgresql_where=notices.c.closed_at.is_(None),
)

# The links of notices that were used: each leads to its gate once.
used_links = Table(
    "used_links",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("gate_id", Text, nullable=False),
    Column("used_by", Text, nullable=False),
    Column("used_at", UtcDateTime, nullable=False),
)

# What is written back to the tracing backend, and how far that has come.
annotations = Table(
    "annotations",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("gate_id", Text, ForeignKey("gates.id")),
    Column("due_at", UtcDateTime, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("outcome", Text),
    CheckConstraint(one_of("kind", AnnotationKind), name="kind"),
    CheckConstraint("(gate_id IS NOT NULL) = (kind = 'decision')", name="gate"),
    CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="closed"),
)
Index("ix_annotations_run_id", annotations.c.run_id)
Index(
    "ix_annotations_due_at",
    annotations.c.due_at,
    sqlite_where=text("closed_at IS NULL"),
    postgresql_where=text("closed_at IS NULL"),
)
# Annotations are found by the time of the decision or the outcome.
Index(
    "ix_gates_closed_at",
    gates.c.closed_at,
    sqlite_where=text("closed_at IS NOT NULL"),
    postgresql_where=text("closed_at IS NOT NULL"),
)
Index(
    "ix_runs_ended_at",
    runs.c.ended_at,
    sqlite_where=text("ended_at IS NOT NULL"),
    postgresql_where=text("ended_at IS NOT NULL"),
)
