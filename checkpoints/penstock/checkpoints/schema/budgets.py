"""Budgets: accounts with what is spent and held, what each call holds, and what was used when."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from penstock.checkpoints.schema.columns import UtcDateTime, metadata, one_of
from penstock.contracts.budget import CALL_UNITS, AccountKind, HoldKind, HoldStatus
from penstock.contracts.spend import MEASURED

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
# What is held now is little, beside all that was held ever.
Index(
    "ix_budget_holds_held",
    budget_holds.c.held_at,
    sqlite_where=text("status = 'held'"),
    postgresql_where=text("status = 'held'"),
)

# What each run has used itself, day by day: accounts do not say when, and those of runs with
# children hold what these have used too. Nobody writes to it but who writes to the run's account.
budget_uses = Table(
    "budget_uses",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    # By UTC, such as 2026-01-31.
    Column("day", Text, nullable=False),
    # Empty where nothing was paid in any.
    Column("money_currency", Text, nullable=False),
    Column("tool_spend_currency", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("graph", Text, nullable=False),
    *(Column(f"used_{unit}", BigInteger, nullable=False) for unit in MEASURED),
    PrimaryKeyConstraint("run_id", "day", "money_currency", "tool_spend_currency"),
    sqlite_with_rowid=False,
)
Index("ix_budget_uses_tenant", budget_uses.c.tenant, budget_uses.c.day)
