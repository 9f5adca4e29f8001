"""Budgets: accounts with what is spent and held, and what each call holds or has used."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from penstock.checkpoints.schema.columns import UtcDateTime, metadata, one_of
from penstock.contracts.budget import CALL_UNITS, AccountKind, HoldKind, HoldStatus

budget_accounts = Table(
    "budget_accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    *(Column(f"cap_{unit}", BigInteger) for unit in CALL_UNITS),
    *(Column(f"spent_{unit}", BigInteger, nullable=False) for unit in CALL_UNITS),
    *(Column(f"held_{unit}", BigInteger, nullable=False) for unit in CALL_UNITS),
    Column("money_currency", Text),
    Column("tool_spend_currency", Text),
    # Of runs: what their drivers keep to. How many steps there were, the steps themselves say.
    Column("cap_steps", BigInteger),
    Column("cap_wall_ms", BigInteger),
    Column("spent_wall_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("on_exhaustion", Text, nullable=False, server_default=text("'fail'")),
    Column("gate_expires_ms", BigInteger),
    CheckConstraint(one_of("kind", AccountKind), name="kind"),
    *(
        CheckConstraint(f"spent_{unit} >= 0 AND held_{unit} >= 0", name=f"{unit}")
        for unit in CALL_UNITS
    ),
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
    *(Column(f"worst_{unit}", BigInteger, nullable=False) for unit in CALL_UNITS),
    *(Column(f"used_{unit}", BigInteger) for unit in CALL_UNITS),
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
        for unit in CALL_UNITS
    ),
)
Index("ix_budget_holds_run_id", budget_holds.c.run_id, budget_holds.c.status)
