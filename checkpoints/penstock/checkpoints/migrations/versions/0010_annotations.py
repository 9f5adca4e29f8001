"""What is written back to where traces are shown, and indexes by which that is found."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table and the indexes."""
    op.create_table(
        "annotations",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=True),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('decision', 'outcome')", name=op.f("ck_annotations_kind")),
        sa.CheckConstraint(
            "(gate_id IS NOT NULL) = (kind = 'decision')", name=op.f("ck_annotations_gate")
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (outcome IS NULL)", name=op.f("ck_annotations_closed")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_annotations_run_id")),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_annotations_gate_id")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_annotations")),
    )
    op.create_index("ix_annotations_run_id", "annotations", ["run_id"])
    _partial("ix_annotations_due_at", "annotations", "due_at", where="closed_at IS NULL")
    _partial("ix_gates_closed_at", "gates", "closed_at", where="closed_at IS NOT NULL")
    _partial("ix_runs_ended_at", "runs", "ended_at", where="ended_at IS NOT NULL")


def _partial(name: str, table: str, column: str, *, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, [column], sqlite_where=condition, postgresql_where=condition)
