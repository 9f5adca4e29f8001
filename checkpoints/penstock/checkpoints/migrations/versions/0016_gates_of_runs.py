"""The index by which the open gates of a run are found, however many other gates are open."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Have the index of a run's gates tell the open ones: SQLite looked through all open gates."""
    op.drop_index("ix_gates_run_id", table_name="gates")
    op.create_index("ix_gates_run_id", "gates", ["run_id", "status"])
