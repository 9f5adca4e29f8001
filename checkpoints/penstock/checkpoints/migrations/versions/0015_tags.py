"""Tags of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and the table by which runs with a tag are found."""
    op.add_column("runs", sa.Column("tags", sa.Text(), nullable=False, server_default="[]"))
    op.create_table(
        "run_tags",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_tags_run_id")),
        sa.PrimaryKeyConstraint("run_id", "tag", name=op.f("pk_run_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_run_tags_tenant", "run_tags", ["tenant", "tag", "run_id"])
