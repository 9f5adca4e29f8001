"""Who cancelled or paused a run, when and why; and how long a run may take."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns; a cancellation that was asked for was so when the run last changed."""
    for column in (
        sa.Column("cancel_at", INSTANT, nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("pause_by", sa.Text(), nullable=True),
        sa.Column("pause_at", INSTANT, nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", INSTANT, nullable=True),
    ):
        op.add_column("runs", column)
    op.execute("UPDATE runs SET cancel_at = changed_at WHERE cancel_by IS NOT NULL")
