"""Gates about budgets; caps on the steps and the time of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; accounts that are open have no such caps, and end their runs as before."""
    op.add_column("gates", sa.Column("cap", sa.Text(), nullable=True))
    op.create_index(
        "ix_gates_cap",
        "gates",
        ["run_id", "cap"],
        unique=True,
        sqlite_where=sa.text("cap IS NOT NULL AND status = 'open'"),
        postgresql_where=sa.text("cap IS NOT NULL AND status = 'open'"),
    )
    for column in (
        sa.Column("cap_steps", sa.BigInteger(), nullable=True),
        sa.Column("cap_wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("spent_wall_ms", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("on_exhaustion", sa.Text(), nullable=False, server_default=sa.text("'fail'")),
        sa.Column("gate_expires_ms", sa.BigInteger(), nullable=True),
    ):
        op.add_column("budget_accounts", column)
