"""Indexes that lead to the open gates that are looked for, however many others are open."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the state into the indexes: SQLite went by that alone, through all open gates."""
    op.drop_index("ix_gates_run_id", table_name="gates")
    op.create_index("ix_gates_run_id", "gates", ["run_id", "status"])
    op.drop_index("ix_gates_wakes_at", table_name="gates")
    _create("ix_gates_wakes_at", "wakes_at", where="wakes_at IS NOT NULL")
    _create(
        "ix_gates_escalates_at",
        "escalates_at",
        where="escalates_at IS NOT NULL AND escalated_at IS NULL",
    )


def _create(name: str, column: str, *, where: str) -> None:
    op.create_index(
        name,
        "gates",
        ["status", column],
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
