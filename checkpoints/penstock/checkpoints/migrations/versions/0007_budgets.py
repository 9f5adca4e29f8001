"""Budgets: accounts, and what calls hold on them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
UNITS = ("tokens", "money", "tool_calls", "tool_spend")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "budget_accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *(sa.Column(f"cap_{unit}", sa.BigInteger(), nullable=True) for unit in UNITS),
        *(sa.Column(f"spent_{unit}", sa.BigInteger(), nullable=False) for unit in UNITS),
        *(sa.Column(f"held_{unit}", sa.BigInteger(), nullable=False) for unit in UNITS),
        sa.Column("money_currency", sa.Text(), nullable=True),
        sa.Column("tool_spend_currency", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('day', 'run')", name=op.f("ck_budget_accounts_kind")),
        *(
            sa.CheckConstraint(
                f"spent_{unit} >= 0 AND held_{unit} >= 0", name=op.f(f"ck_budget_accounts_{unit}")
            )
            for unit in UNITS
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_accounts")),
    )
    op.create_index("ix_budget_accounts_tenant", "budget_accounts", ["tenant", "kind"])
    op.create_table(
        "budget_holds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("accounts", sa.Text(), nullable=False),
        sa.Column("is_priced", sa.Integer(), nullable=False),
        *(sa.Column(f"worst_{unit}", sa.BigInteger(), nullable=False) for unit in UNITS),
        *(sa.Column(f"used_{unit}", sa.BigInteger(), nullable=True) for unit in UNITS),
        sa.Column("money_currency", sa.Text(), nullable=True),
        sa.Column("tool_spend_currency", sa.Text(), nullable=True),
        sa.Column("held_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.CheckConstraint("kind IN ('model', 'tool')", name=op.f("ck_budget_holds_kind")),
        sa.CheckConstraint("status IN ('held', 'settled')", name=op.f("ck_budget_holds_status")),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (status = 'held')", name=op.f("ck_budget_holds_settled")
        ),
        *(
            sa.CheckConstraint(
                f"worst_{unit} >= 0 AND (used_{unit} IS NULL) = (status = 'held')",
                name=op.f(f"ck_budget_holds_{unit}"),
            )
            for unit in UNITS
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_budget_holds_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_holds")),
    )
    op.create_index("ix_budget_holds_run_id", "budget_holds", ["run_id", "status"])
