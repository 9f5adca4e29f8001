"""Queries of runs: one by its id, pages and counts, versions, and the nodes where runs wait."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, func, select

from penstock.checkpoints.gates.queries import gates_of
from penstock.checkpoints.runs import rows
from penstock.checkpoints.runs.filters import STANDING, has_tag, matches
from penstock.checkpoints.runs.rows import run_of
from penstock.checkpoints.schema import budget_accounts, gates, run_tags, runs, steps
from penstock.contracts.budget import Money, run_account
from penstock.contracts.bulk import SeenRun
from penstock.contracts.errors import UnknownRun
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import AccountId, RunId
from penstock.contracts.inbox import GraphVersion, ListedRun, RunFilter, WaitingNode
from penstock.contracts.run import (
    Run,
    RunStatus,
)

_COLUMNS = (
    *(runs.c.id, runs.c.graph, runs.c.principal, runs.c.status, runs.c.epoch),
    *(runs.c.changed_at, runs.c.cancel_by, runs.c.failure_redrivable),
)


def get(connection: Connection, run_id: RunId) -> Run:
    """Return a run.

    Raises:
        UnknownRun: there is none with this id.
    """
    row = rows.find.first(connection, {"run_id": run_id})
    if row is None:
        msg = f"no run has the id `{run_id}` in this store"
        raise UnknownRun(msg)
    return run_of(row)


def lock(connection: Connection, run_id: RunId) -> None:
    """Lock a run until this transaction is over.

    A transaction that locks a gate locks its run first, as a worker does that begins a call: in
    another order each could wait for the other. On SQLite there is one writer at a time.
    """
    connection.execute(select(runs.c.id).where(runs.c.id == run_id).with_for_update())


def find(
    connection: Connection,
    *,
    statuses: Collection[RunStatus] = (),
    graph: str | None = None,
    thread_id: str | None = None,
    tenant: str | None = None,
    parent_id: RunId | None = None,
    tags: Collection[str] = (),
    before: RunId | None = None,
    limit: int,
) -> Sequence[Run]:
    """Return runs, newest first; `before` goes on below the last one of the page before."""
    statement = select(runs).order_by(runs.c.id.desc()).limit(limit)
    if statuses:
        statement = statement.where(runs.c.status.in_(sorted(statuses)))
    for column, wanted in (
        (runs.c.graph, graph),
        (runs.c.thread_id, thread_id),
        (runs.c.tenant, tenant),
        (runs.c.parent_id, parent_id),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    for tag in tags:
        statement = statement.where(has_tag(tag, tenant=tenant))
    if before is not None:
        statement = statement.where(runs.c.id < before)
    return [run_of(dict(row)) for row in connection.execute(statement).mappings()]


def page(
    connection: Connection, wanted: RunFilter, *, before: RunId | None = None, limit: int
) -> Sequence[ListedRun]:
    """Return runs, newest first, with the gates they wait at and what they have used.

    `before` goes on below a page.
    """
    statement = select(runs).where(*matches(wanted)).order_by(runs.c.id.desc()).limit(limit)
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
        .where(*matches(wanted))
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


def list_seen(
    connection: Connection,
    wanted: RunFilter,
    *,
    ids: Collection[RunId] | None = None,
    before: RunId | None = None,
    limit: int,
) -> Sequence[SeenRun]:
    """Return matching runs as a bulk action sees them, newest first; of `ids` alone, if given."""
    statement = select(*_COLUMNS).where(*matches(wanted)).order_by(runs.c.id.desc()).limit(limit)
    if ids is not None:
        statement = statement.where(runs.c.id.in_(sorted(ids)))
    if before is not None:
        statement = statement.where(runs.c.id < before)
    return [_seen(row) for row in connection.execute(statement).mappings()]


def versions(connection: Connection, *, tenant: str, graph: str) -> Sequence[GraphVersion]:
    """Return the versions of a graph that a tenant has had runs of, the last used first."""
    number = func.count().label("number")
    counted = (
        select(
            runs.c.graph_version,
            runs.c.fingerprint,
            runs.c.status,
            number,
            func.min(runs.c.created_at).label("first_at"),
            func.max(runs.c.created_at).label("last_at"),
        )
        .where(runs.c.tenant == tenant, runs.c.graph == graph)
        .group_by(runs.c.graph_version, runs.c.fingerprint, runs.c.status)
    )
    found: dict[str, GraphVersion] = {}
    for row in connection.execute(counted):
        before = found.get(row.fingerprint)
        counts: Mapping[RunStatus, int] = {} if before is None else before.counts
        found[row.fingerprint] = GraphVersion(
            version=row.graph_version,
            fingerprint=row.fingerprint,
            counts={**counts, RunStatus(row.status): row.number},
            first_at=row.first_at if before is None else min(before.first_at, row.first_at),
            last_at=row.last_at if before is None else max(before.last_at, row.last_at),
        )
    return sorted(found.values(), key=lambda each: each.last_at, reverse=True)


def waiting_nodes(connection: Connection, *, tenant: str, graph: str) -> Sequence[WaitingNode]:
    """Return the nodes of a graph in which runs wait, those of most runs first.

    A run that waits in several nodes is counted in each.
    """
    number = func.count(runs.c.id.distinct()).label("number")
    counted = (
        select(steps.c.node, runs.c.graph_version, runs.c.fingerprint, number)
        .join(runs, (steps.c.run_id == runs.c.id) & (steps.c.epoch == runs.c.epoch))
        .where(
            runs.c.tenant == tenant,
            runs.c.graph == graph,
            runs.c.status == RunStatus.WAITING,
            steps.c.status.in_(STANDING),
        )
        .group_by(steps.c.node, runs.c.graph_version, runs.c.fingerprint)
        .order_by(number.desc(), steps.c.node)
    )
    return [
        WaitingNode(
            node=row.node, version=row.graph_version, fingerprint=row.fingerprint, count=row.number
        )
        for row in connection.execute(counted)
    ]


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


def _seen(row: RowMapping) -> SeenRun:
    values = dict(row)
    is_redrivable = bool(values.pop("failure_redrivable"))
    status = RunStatus(values.pop("status"))
    return SeenRun(status=status, is_redrivable=is_redrivable, **values)
