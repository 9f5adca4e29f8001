"""Looking up runs, and keeping one as it is."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from penstock.checkpoints import run_sql
from penstock.checkpoints.runs.fitting import has_tag
from penstock.checkpoints.runs.rows import run_of
from penstock.checkpoints.schema import runs
from penstock.contracts.errors import UnknownRun
from penstock.contracts.ids import RunId
from penstock.contracts.run import (
    Run,
    RunStatus,
)


def get(connection: Connection, run_id: RunId) -> Run:
    """Return a run.

    Raises:
        UnknownRun: there is none with this id.
    """
    row = run_sql.find.first(connection, {"run_id": run_id})
    if row is None:
        msg = f"no run has the id `{run_id}` in this store"
        raise UnknownRun(msg)
    return run_of(row)


def lock(connection: Connection, run_id: RunId) -> None:
    """Have nobody else change a run until this transaction is over, where writers run at once.

    Who is about to lock a gate locks its run first, as a worker does that begins a call: in another
    order each could wait for the other. On SQLite whoever writes is alone.
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
