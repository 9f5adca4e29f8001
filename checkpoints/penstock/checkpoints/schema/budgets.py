"""Budgets: accounts with what is spent and held, and what each call holds or has used."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text

from penstock.checkpoints.schema.columns import UtcDateTime, metadata, one_of
from penstock.contracts.budget import AccountKind, HoldKind, HoldStatus, Unit

budget_accounts = Table(
    "budget_accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    *(Column(f"cap_{unit}", BigInteger) for unit in Unit),
    *(Column(f"spent_{unit}", BigInteger, nullable=False) for unit in Unit),
    *(Column(f"held_{unit}", BigInteger, nullable=False) for unit in Unit),
    Column("money_currency", Text),
    Column("tool_spend_currency", Text),
    CheckConstraint(one_of("kind", AccountKind), name="kind"),
    *(CheckConstraint(f"spent_{unit} >= 0 AND held_{unit} >= 0", name=f"{unit}") for unit in Unit),
)
Index("ix_budget_accounts_tenant", budget_accounts.c.tenant, budget_accounts.c.kind)

budget_holds = Table(
    "budget_holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("accounts", Text, nullable=False),
    Column("is_priced", Integer, nullable=False),
    *(Column(f"worst_{unit}", BigInteger, nullable=False) for unit in Unit),
    *(Column(f"used_{unit}", BigInteger) for unit in Unit),
    Column("money_currency", Text),
    Column("tool_spend_currency", Text),
    Column("held_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    CheckConstraint(one_of("kind", HoldKind), name="kind"),
    CheckConstraint(one_of("status", HoldStatus), name="status"),
    CheckConstraint("(settled_at IS NULL) = (status = 'held')", name="settled"),
    *(
        CheckConstraint(
            f"worst_{unit} >= 0 AND (used_{unit} IS NULL) = (status = 'held')", name=f"{unit}"
        )
        for unit in Unit
    ),
)
Index("ix_budget_holds_run_id", budget_holds.c.run_id, budget_holds.c.status)
