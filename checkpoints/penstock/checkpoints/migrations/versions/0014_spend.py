"""What runs have used day by day; what is noted about chains, and what events are searched by."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
UNITS = ("tokens", "money", "tool_spend", "tool_calls", "wall_ms")
CURRENCIES = ("money", "tool_spend")
NOTED = (
    ("shipped_to", sa.Text()),
    ("ship_failed_at", INSTANT),
    ("ship_failure", sa.Text()),
    ("verified_number", sa.BigInteger()),
    ("verified_hash", sa.Text()),
    ("verified_at", INSTANT),
    ("verified_by", sa.Text()),
    ("verified_whole_at", INSTANT),
    ("verified_fault", sa.Text()),
)


def upgrade() -> None:
    """Make the table, fill it, and add the indexes."""
    op.create_table(
        "budget_uses",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("money_currency", sa.Text(), nullable=False),
        sa.Column("tool_spend_currency", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        *(sa.Column(f"used_{unit}", sa.BigInteger(), nullable=False) for unit in UNITS),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_budget_uses_run_id")),
        sa.PrimaryKeyConstraint(
            "run_id",
            "day",
            "money_currency",
            "tool_spend_currency",
            name=op.f("pk_budget_uses"),
        ),
        sqlite_with_rowid=False,
    )
    op.execute(_filling())
    op.create_index("ix_budget_uses_tenant", "budget_uses", ["tenant", "day"])
    for name, table, columns, condition in (
        ("ix_budget_holds_held", "budget_holds", ["held_at"], "status = 'held'"),
        ("ix_gates_budget", "gates", ["tenant", "opened_at"], "kind = 'budget'"),
        (
            "ix_runs_exhausted",
            "runs",
            ["tenant", "ended_at"],
            "failure_code = 'budget_exhausted'",
        ),
    ):
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    for name in ("action", "actor"):
        op.create_index(f"ix_audit_events_{name}", "audit_events", ["tenant", name, "number"])
    for name, kind in NOTED:
        op.add_column("audit_marks", sa.Column(name, kind, nullable=True))


def _filling() -> str:
    """Return what puts all that a run has used by now on the day on which it ended, or changed.

    When it was used nothing tells. What its children have used is on their own rows.
    """
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    at = "coalesce(runs.ended_at, runs.changed_at)"
    day = f"substr({at}, 1, 10)" if is_sqlite else f"to_char({at} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    used = [_own(unit) for unit in UNITS]
    some = " OR ".join(f"account.spent_{unit} > 0" for unit in UNITS)
    currencies = ", ".join(f"coalesce(account.{unit}_currency, '')" for unit in CURRENCIES)
    names = ", ".join(f"used_{unit}" for unit in UNITS)
    return (
        "INSERT INTO budget_uses (run_id, day, money_currency, tool_spend_currency, tenant, graph,"  # noqa: S608  (names of our own)
        f" {names}) SELECT runs.id, {day}, {currencies}, runs.tenant, runs.graph,"
        f" {', '.join(used)} FROM runs JOIN budget_accounts AS account"
        f" ON account.id = 'run:' || runs.id WHERE {some}"
    )


def _own(unit: str) -> str:
    if unit == "wall_ms":
        return "account.spent_wall_ms"
    same = f" AND below.{unit}_currency = account.{unit}_currency" if unit in CURRENCIES else ""
    below = (
        f"(SELECT coalesce(sum(below.spent_{unit}), 0) FROM runs AS child"  # noqa: S608  (likewise)
        " JOIN budget_accounts AS below ON below.id = 'run:' || child.id"
        f" WHERE child.parent_id = runs.id{same})"
    )
    own = f"account.spent_{unit} - {below}"
    return f"CASE WHEN {own} > 0 THEN {own} ELSE 0 END"
