"""Runs that other runs have started."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and the index by which the runs below a run are found."""
    op.add_column("runs", sa.Column("parent_id", sa.Text(), nullable=True))
    is_child = sa.text("parent_id IS NOT NULL")
    op.create_index(
        "ix_runs_parent_id",
        "runs",
        ["parent_id"],
        sqlite_where=is_child,
        postgresql_where=is_child,
    )
