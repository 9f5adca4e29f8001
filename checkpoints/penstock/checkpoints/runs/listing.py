"""Runs as somebody looks for them: pages, counts, and what each waits at."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from penstock.checkpoints.gates.rows import gates_of
from penstock.checkpoints.runs.rows import run_of
from penstock.checkpoints.schema import gate_approvals, gates, runs
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import ListedRun, RunFilter
from penstock.contracts.run import RunStatus


def page(
    connection: Connection, wanted: RunFilter, *, before: RunId | None = None, limit: int
) -> Sequence[ListedRun]:
    """Return runs, newest first, with the gates they wait at; `before` goes on below a page."""
    statement = select(runs).where(*_where(wanted)).order_by(runs.c.id.desc()).limit(limit)
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
    return [ListedRun(run=run, open_gates=at_gates.get(run.id, ())) for run in found]


def counts(connection: Connection, wanted: RunFilter) -> Mapping[RunStatus, int]:
    """Return how many of these runs there are in each state."""
    statement = (
        select(runs.c.status, func.count().label("number"))
        .where(*_where(wanted))
        .group_by(runs.c.status)
    )
    found = {RunStatus(row.status): row.number for row in connection.execute(statement)}
    return {status: found.get(status, 0) for status in RunStatus}


def graphs(connection: Connection, *, tenant: str) -> Sequence[str]:
    """Return the names of the graphs that a tenant has had runs of."""
    named = select(runs.c.graph).where(runs.c.tenant == tenant).distinct().order_by(runs.c.graph)
    return connection.execute(named).scalars().all()


def _where(wanted: RunFilter) -> list[ColumnElement[bool]]:
    conditions = [runs.c.tenant == wanted.tenant]
    if wanted.statuses:
        conditions.append(runs.c.status.in_(sorted(wanted.statuses)))
    if wanted.graph is not None:
        conditions.append(runs.c.graph == wanted.graph)
    if wanted.since is not None:
        conditions.append(runs.c.created_at >= wanted.since)
    if wanted.waits_for is not None:
        # Looked up once, and not run by run.
        asked = (
            select(gates.c.run_id)
            .join(gate_approvals, gate_approvals.c.gate_id == gates.c.id)
            .where(
                gates.c.status == GateStatus.OPEN,
                gate_approvals.c.group_name == wanted.waits_for,
            )
        )
        conditions += [runs.c.status == RunStatus.WAITING, runs.c.id.in_(asked)]
    if wanted.text:
        # Ids are of 0-9, a-f and hyphens: none that begins so comes after this.
        begins_so = and_(runs.c.id >= wanted.text, runs.c.id < f"{wanted.text}g")
        same = [runs.c.key, runs.c.thread_id, runs.c.principal]
        conditions.append(or_(begins_so, *(column == wanted.text for column in same)))
    return conditions
