"""What is written back to where traces are shown, and how that goes."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text

from penstock.checkpoints.schema.columns import UtcDateTime, metadata, one_of
from penstock.checkpoints.schema.gates import gates
from penstock.checkpoints.schema.runs import runs
from penstock.contracts.trace import AnnotationKind

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

# What is to be told is found by when it happened.
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
