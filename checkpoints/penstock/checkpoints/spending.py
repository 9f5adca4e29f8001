"""What runs have used, day by day: written with their accounts, and read in sums.

What a child run has used is in its own rows, and not in those of its parent: so each call counts
once, and the sum over all runs is the sum over all calls.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from penstock.checkpoints.budget_sql import hold_of
from penstock.checkpoints.schema import budget_holds, budget_uses, gates, runs
from penstock.checkpoints.statements import prepared
from penstock.contracts.budget import Unit
from penstock.contracts.ids import GateId, RunId
from penstock.contracts.spend import (
    MEASURED,
    MONEYS,
    CappedRun,
    CostlyRun,
    DailySpend,
    Measure,
    OpenHold,
    SpendFilter,
)

_KEY = ("run_id", "day", "money_currency", "tool_spend_currency")
_AMOUNTS = tuple(f"used_{unit}" for unit in MEASURED)


def add(connection: Connection, run_id: str, used: Mapping[str, Any], *, at: datetime) -> None:
    """Count what a run has used: `used_…` amounts, and the currencies of those of money."""
    amounts = {name: used.get(name) or 0 for name in _AMOUNTS}
    currencies = {f"{unit}_currency": used.get(f"{unit}_currency") or "" for unit in MONEYS}
    params = {**amounts, **currencies, "of_run": run_id, "day": f"{at:%Y-%m-%d}"}
    _add.execute(connection, params)


def by_day(connection: Connection, wanted: SpendFilter) -> Sequence[DailySpend]:
    """Return what was used on each day by each graph, in each measure, in this order."""
    uses = budget_uses.c
    keys = (uses.day, uses.graph, uses.money_currency, uses.tool_spend_currency)
    sums = [func.sum(uses[name]).label(name) for name in _AMOUNTS]
    statement = select(*keys, *sums).where(*_where(wanted)).group_by(*keys)
    found: dict[tuple[str, str, Measure], int] = {}
    for row in connection.execute(statement).mappings():
        for unit in MEASURED:
            currency = row[f"{unit}_currency"] if unit in MONEYS else None
            key = (row["day"], row["graph"], Measure(unit=unit, currency=currency))
            found[key] = found.get(key, 0) + int(row[f"used_{unit}"])
    return [
        DailySpend(day=date.fromisoformat(day), graph=graph, measure=measure, amount=found[key])
        for key in sorted(found, key=lambda key: (key[0], key[1], str(key[2])))
        for day, graph, measure in [key]
        if found[key] > 0
    ]


def dearest(
    connection: Connection, wanted: SpendFilter, measure: Measure, *, limit: int
) -> Sequence[CostlyRun]:
    """Return the runs that have used most, the dearest first."""
    used = budget_uses.c[f"used_{measure.unit}"]
    amount = func.sum(used)
    conditions = [*_where(wanted), used > 0]
    if measure.unit in MONEYS:
        conditions.append(budget_uses.c[f"{measure.unit}_currency"] == measure.currency)
    first = (
        select(budget_uses.c.run_id, amount.label("amount"))
        .where(*conditions)
        .group_by(budget_uses.c.run_id)
        .order_by(amount.desc(), budget_uses.c.run_id)
        .limit(limit)
        .subquery()
    )
    statement = (
        select(runs.c.id, runs.c.graph, runs.c.principal, first.c.amount)
        .join(first, first.c.run_id == runs.c.id)
        .order_by(first.c.amount.desc(), runs.c.id)
    )
    return [
        CostlyRun(
            run_id=RunId(row.id), graph=row.graph, principal=row.principal, amount=int(row.amount)
        )
        for row in connection.execute(statement)
    ]


def capped(connection: Connection, wanted: SpendFilter, *, limit: int) -> Sequence[CappedRun]:
    """Return the runs that hit a cap, at a gate or as their end, the last ones first."""
    since = datetime.fromisoformat(f"{wanted.since}T00:00:00+00:00")
    of_graph = [] if wanted.graph is None else [runs.c.graph == wanted.graph]
    asked = (
        select(gates.c.id, gates.c.run_id, runs.c.graph, gates.c.opened_at, gates.c.cap)
        .add_columns(gates.c.status)
        .join(runs, runs.c.id == gates.c.run_id)
        .where(text("gates.kind = 'budget'"), gates.c.tenant == wanted.tenant)
        .where(gates.c.opened_at >= since, *of_graph)
        .order_by(gates.c.opened_at.desc())
        .limit(limit)
    )
    ended = (
        select(runs.c.id, runs.c.graph, runs.c.ended_at, runs.c.failure_message)
        .where(text("runs.failure_code = 'budget_exhausted'"), runs.c.tenant == wanted.tenant)
        .where(runs.c.ended_at >= since, *of_graph)
        .order_by(runs.c.ended_at.desc())
        .limit(limit)
    )
    found = [
        CappedRun(
            run_id=RunId(row.run_id),
            graph=row.graph,
            at=row.opened_at,
            gate_id=GateId(row.id),
            unit=None if row.cap is None else Unit(row.cap),
            explanation=row.status,
        )
        for row in connection.execute(asked)
    ]
    found += [
        CappedRun(
            run_id=RunId(row.id),
            graph=row.graph,
            at=row.ended_at,
            gate_id=None,
            unit=None,
            explanation=row.failure_message,
        )
        for row in connection.execute(ended)
    ]
    return sorted(found, key=lambda each: each.at, reverse=True)[:limit]


def reserved(connection: Connection, *, tenant: str, limit: int) -> Sequence[OpenHold]:
    """Return what calls hold now, those first that have held it longest."""
    statement = (
        select(*budget_holds.c, runs.c.graph)
        .join(runs, runs.c.id == budget_holds.c.run_id)
        .where(text("budget_holds.status = 'held'"), runs.c.tenant == tenant)
        .order_by(budget_holds.c.held_at, budget_holds.c.id)
        .limit(limit)
    )
    return [
        OpenHold(hold=hold_of(row), graph=row["graph"], at=row["held_at"])
        for row in connection.execute(statement).mappings()
    ]


def _where(wanted: SpendFilter) -> list[ColumnElement[bool]]:
    conditions = [
        budget_uses.c.tenant == wanted.tenant,
        budget_uses.c.day >= wanted.since.isoformat(),
    ]
    if wanted.graph is not None:
        conditions.append(budget_uses.c.graph == wanted.graph)
    return conditions


@prepared()
def _add(dialect: Dialect) -> Insert:
    params = {
        name: bindparam(name, type_=budget_uses.c[name].type) for name in (*_KEY[1:], *_AMOUNTS)
    }
    of_run = select(runs.c.id, runs.c.tenant, runs.c.graph, *params.values()).where(
        runs.c.id == bindparam("of_run")
    )
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(budget_uses)
    insert = insert.from_select(["run_id", "tenant", "graph", *params], of_run)
    return insert.on_conflict_do_update(
        index_elements=_KEY,
        set_={name: budget_uses.c[name] + insert.excluded[name] for name in _AMOUNTS},
    ).inline()
