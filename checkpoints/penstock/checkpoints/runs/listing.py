"""Runs as somebody looks for them: pages, counts, and what each waits at."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from penstock.checkpoints.gates.rows import gates_of
from penstock.checkpoints.runs.fitting import fits
from penstock.checkpoints.runs.rows import run_of
from penstock.checkpoints.schema import budget_accounts, gates, run_tags, runs
from penstock.contracts.budget import Money, run_account
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import AccountId, RunId
from penstock.contracts.inbox import ListedRun, RunFilter
from penstock.contracts.run import Run, RunStatus


def page(
    connection: Connection, wanted: RunFilter, *, before: RunId | None = None, limit: int
) -> Sequence[ListedRun]:
    """Return runs, newest first, with the gates they wait at and what they have used.

    `before` goes on below a page.
    """
    statement = select(runs).where(*fits(wanted)).order_by(runs.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(runs.c.id < before)
    found = [run_of(dict(row)) for row in connection.execute(statement).mappings()]
    waiting = [run.id for run in found if run.status is RunStatus.WAITING]
    at_gates: dict[str, list[Gate]] = {run_id: [] for run_id in waiting}
    if waiting:
        asked = select(gates).where(gates.c.run_id.in_(waiting), gates.c.status == GateStatus.OPEN)
        rows = connection.execute(asked.order_by(gates.c.opened_at, gates.c.id)).mappings()
        for gate in gates_of(connection, [dict(row) for row in rows]):
            at_gates[gate.run_id].append(gate)
    used = _used(connection, found)
    nothing = (0, None)
    return [
        ListedRun(run=run, open_gates=at_gates.get(run.id, ()), tokens=tokens, money=money)
        for run in found
        for tokens, money in [used.get(run_account(run.id), nothing)]
    ]


def counts(
    connection: Connection, wanted: RunFilter, *, before: RunId | None = None
) -> Mapping[RunStatus, int]:
    """Return how many of these runs there are in each state; `before` counts the older ones."""
    statement = (
        select(runs.c.status, func.count().label("number"))
        .where(*fits(wanted))
        .group_by(runs.c.status)
    )
    if before is not None:
        statement = statement.where(runs.c.id < before)
    found = {RunStatus(row.status): row.number for row in connection.execute(statement)}
    return {status: found.get(status, 0) for status in RunStatus}


def graphs(connection: Connection, *, tenant: str) -> Sequence[str]:
    """Return the names of the graphs that a tenant has had runs of."""
    named = select(runs.c.graph).where(runs.c.tenant == tenant).distinct().order_by(runs.c.graph)
    return connection.execute(named).scalars().all()


def tags(connection: Connection, *, tenant: str, limit: int) -> Sequence[str]:
    """Return tags that a tenant's runs have, by their names."""
    named = select(run_tags.c.tag).where(run_tags.c.tenant == tenant).distinct()
    return connection.execute(named.order_by(run_tags.c.tag).limit(limit)).scalars().all()


def _used(
    connection: Connection, found: Sequence[Run]
) -> Mapping[AccountId, tuple[int, Money | None]]:
    accounts = budget_accounts.c
    asked = select(
        accounts.id, accounts.spent_tokens, accounts.spent_money, accounts.money_currency
    ).where(accounts.id.in_([run_account(run.id) for run in found]))
    return {
        row.id: (
            row.spent_tokens,
            Money(micros=row.spent_money, currency=row.money_currency) if row.spent_money else None,
        )
        for row in connection.execute(asked)
    }
