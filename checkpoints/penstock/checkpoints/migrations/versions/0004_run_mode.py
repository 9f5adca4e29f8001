"""Whether a run may do anything, or only read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mode; runs that are there are live."""
    op.add_column("runs", sa.Column("mode", sa.Text(), nullable=False, server_default="live"))
