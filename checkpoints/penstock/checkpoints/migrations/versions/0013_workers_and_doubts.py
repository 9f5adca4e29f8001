"""Workers as they show themselves, and indexes by which calls in doubt are listed."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table and the indexes."""
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("graphs", sa.Text(), nullable=False),
        sa.Column("slot_count", sa.Integer(), nullable=False),
        sa.Column("beat_ms", sa.Integer(), nullable=False),
        sa.Column("lease_ms", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("drain_by", sa.Text(), nullable=True),
        sa.Column("drain_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(drain_by IS NULL) = (drain_at IS NULL)", name=op.f("ck_workers_drain")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index("ix_workers_seen_at", "workers", ["seen_at"])
    _partial("ix_effects_in_doubt", "effects", "started_at", where="status = 'in_doubt'")
    _partial("ix_gates_in_doubt", "gates", "closed_at", where="kind = 'in_doubt'")


def _partial(name: str, table: str, column: str, *, where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, ["tenant", column], sqlite_where=condition, postgresql_where=condition
    )
