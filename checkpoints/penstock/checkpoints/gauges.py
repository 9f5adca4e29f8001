"""Gauges of the store, for monitoring."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, func, select

from penstock.checkpoints.schema import budget_accounts, effects, gates, runs
from penstock.contracts.budget import AccountKind, Unit
from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.gauges import Gauges
from penstock.contracts.run import RunStatus

S = TypeVar("S", bound=StrEnum)


def measure(connection: Connection, *, now: datetime) -> Gauges:
    """Count runs, gates, effects and spend; an index serves each count."""
    queued = select(func.min(runs.c.changed_at)).where(
        runs.c.status == RunStatus.QUEUED, runs.c.pause_by.is_(None)
    )
    opened = select(func.min(gates.c.opened_at)).where(gates.c.status == GateStatus.OPEN)
    return Gauges(
        runs=_counts(connection, runs.c.status, RunStatus),
        queue_age_s=_age_s(connection.execute(queued).scalar(), now),
        open_gates=_counts(
            connection, gates.c.kind, GateKind, of=gates.c.status == GateStatus.OPEN
        ),
        gate_age_s=_age_s(connection.execute(opened).scalar(), now),
        effects=_counts(connection, effects.c.status, EffectStatus),
        spent_tokens=_spent_tokens(connection),
        spent_micros=_spent_micros(connection),
    )


def _counts(
    connection: Connection, column: Column[str], names: type[S], *, of: Any = None
) -> Mapping[S, int]:
    counting = select(column, func.count()).group_by(column)
    if of is not None:
        counting = counting.where(of)
    found = dict(connection.execute(counting).all())
    return {name: found.get(name, 0) for name in names}


def _age_s(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)


def _spent_tokens(connection: Connection) -> int:
    spent = select(func.sum(budget_accounts.c[f"spent_{Unit.TOKENS}"])).where(
        budget_accounts.c.kind == AccountKind.RUN
    )
    return int(connection.execute(spent).scalar() or 0)


def _spent_micros(connection: Connection) -> Mapping[str, int]:
    currency = budget_accounts.c.money_currency
    spent = (
        select(currency, func.sum(budget_accounts.c[f"spent_{Unit.MONEY}"]))
        .where(budget_accounts.c.kind == AccountKind.RUN, currency.is_not(None))
        .group_by(currency)
    )
    return {name: int(micros) for name, micros in connection.execute(spent)}
