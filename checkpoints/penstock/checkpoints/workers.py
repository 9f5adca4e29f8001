"""Workers: what each reports of itself, requests to drain, and the runs that they drive or lost.

A worker's row is for people to see, and decides nothing: the lease of a run says who drives it. So
no function waits for a row that another transaction has locked; it skips the row.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Select,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.sql.dml import Insert, ReturningUpdate

from penstock.checkpoints import audit
from penstock.checkpoints.audit.queries import event_of
from penstock.checkpoints.runs.filters import matches
from penstock.checkpoints.runs.rows import run_of
from penstock.checkpoints.schema import audit_events, one_of, runs, workers
from penstock.checkpoints.statements import database_now, insert_or_keep, prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.errors import UnknownWorker
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import Run, RunStatus
from penstock.contracts.worker import KnownWorker, LostRun, NewWorker, QueuedRuns

KEPT_S = 24 * 3600.0
"""A worker that was not seen for so long is deleted."""


def check_in(connection: Connection, worker: NewWorker) -> str | None:
    """Record that a worker is alive, as it reports; return who has asked it to drain."""
    row = _check_in.first(connection, {"worker": worker.id})
    if row is not None:
        return row["drain_by"]
    _add.execute(
        connection,
        {
            "id": worker.id,
            "host": worker.host,
            "pid": worker.pid,
            "version": worker.version,
            "graphs": json.dumps([list(graph) for graph in worker.graphs]),
            "slot_count": worker.slot_count,
            "beat_ms": round(worker.beat_s * 1000),
            "lease_ms": round(worker.lease_s * 1000),
        },
    )
    return None


def end(connection: Connection, worker: WorkerId) -> None:
    """Record that a worker ends, as it reports."""
    now = database_now(connection.dialect)
    connection.execute(
        update(workers).where(workers.c.id == worker).values(seen_at=now, ended_at=now)
    )


def request_drain(
    connection: Connection, worker: WorkerId, *, tenant: str, at: datetime, by: str
) -> KnownWorker:
    """Ask a worker to take no more runs, which it learns at its next heartbeat; return it.

    The first request is kept. A worker that has ended is left as it is.

    Raises:
        UnknownWorker: no worker with this id was seen in the last day.
    """
    asked = connection.execute(
        update(workers)
        .where(workers.c.id == worker, workers.c.drain_by.is_(None), workers.c.ended_at.is_(None))
        .values(drain_by=by, drain_at=at)
    )
    known = get(connection, worker)
    if asked.rowcount == 1:
        audit.append(
            connection,
            AuditEvent(
                tenant=tenant,
                at=at,
                actor=by,
                action="worker.drain_asked",
                run_id=None,
                detail={"worker": worker, "version": known.version},
            ),
        )
    return known


def purge(connection: Connection, *, limit: int) -> int:
    """Delete workers that were not seen for a day; return how many."""
    old = (
        select(workers.c.id)
        .where(workers.c.seen_at < database_now(connection.dialect, plus_s=-KEPT_S))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    forgetting: Delete = delete(workers).where(workers.c.id.in_(old))
    return connection.execute(forgetting).rowcount


def get(connection: Connection, worker: WorkerId) -> KnownWorker:
    """Return a worker.

    Raises:
        UnknownWorker: no worker with this id was seen in the last day.
    """
    row = connection.execute(_known(connection).where(workers.c.id == worker)).mappings().first()
    if row is None:
        raise UnknownWorker(
            f"no worker has the id `{worker}` in this store, or it was not heard of for a day"
        )
    return _worker_of(row)


def present(connection: Connection, *, limit: int) -> Sequence[KnownWorker]:
    """Return the workers that have not ended, those seen last first."""
    here = _known(connection).where(workers.c.ended_at.is_(None))
    rows = connection.execute(here.order_by(workers.c.seen_at.desc()).limit(limit)).mappings()
    return [_worker_of(row) for row in rows]


def ended(connection: Connection, *, limit: int) -> Sequence[KnownWorker]:
    """Return the workers that have ended, the last of them first."""
    over = _known(connection).where(workers.c.ended_at.is_not(None))
    rows = connection.execute(over.order_by(workers.c.seen_at.desc()).limit(limit)).mappings()
    return [_worker_of(row) for row in rows]


def driven_runs(connection: Connection, *, limit: int) -> Sequence[Run]:
    """Return the runs that workers hold, of whatever tenant, those claimed first first."""
    held = select(runs).where(runs.c.status == RunStatus.RUNNING)
    rows = connection.execute(held.order_by(runs.c.changed_at).limit(limit)).mappings()
    return [run_of(dict(row)) for row in rows]


def waiting_by_version(connection: Connection, *, tenant: str) -> Sequence[QueuedRuns]:
    """Return how many queued runs there are of each form of a graph, the longest waiting first.

    Paused runs are left out: no worker is to take them.
    """
    oldest = func.min(runs.c.changed_at)
    queued = (
        select(
            runs.c.graph,
            runs.c.graph_version,
            runs.c.fingerprint,
            func.count().label("number"),
            oldest.label("oldest_at"),
        )
        .where(
            runs.c.tenant == tenant,
            runs.c.status == RunStatus.QUEUED,
            runs.c.pause_by.is_(None),
        )
        .group_by(runs.c.graph, runs.c.graph_version, runs.c.fingerprint)
        .order_by(oldest)
    )
    return [
        QueuedRuns(
            graph=row.graph,
            graph_version=row.graph_version,
            fingerprint=row.fingerprint,
            count=row.number,
            oldest_at=row.oldest_at,
        )
        for row in connection.execute(queued)
    ]


def lost_runs(connection: Connection, *, tenant: str, limit: int) -> Sequence[LostRun]:
    """Return runs that were taken from lost workers, and have reached no gate or end since.

    The audit chain names the workers, as long as its events are kept.
    """
    taken = (
        select(runs.c.id)
        .where(
            runs.c.tenant == tenant,
            text(one_of("runs.status", (RunStatus.QUEUED, RunStatus.RUNNING))),
            runs.c.lost_count > 0,
        )
        .order_by(runs.c.changed_at.desc())
        .limit(limit)
    )
    ids = connection.execute(taken).scalars().all()
    events = select(audit_events).where(audit_events.c.run_id.in_(ids))
    newest: dict[str, LostRun] = {}
    for row in connection.execute(events.order_by(audit_events.c.number)):
        worker = event_of(row).details.get("lost_worker")
        if worker is not None:
            newest[row.run_id] = LostRun(
                run_id=RunId(row.run_id),
                worker_id=WorkerId(str(worker)),
                at=row.at,
                by=WorkerId(row.actor),
            )
    return [newest[run_id] for run_id in ids if run_id in newest]


def dead_letters(connection: Connection, *, tenant: str, limit: int) -> Sequence[Run]:
    """Return failed runs that a redrive may help, the newest first."""
    dead = select(runs).where(*_dead(tenant)).order_by(runs.c.id.desc()).limit(limit)
    return [run_of(dict(row)) for row in connection.execute(dead).mappings()]


def dead_letter_count(connection: Connection, *, tenant: str, limit: int) -> int:
    """Return how many there are of those; more than `limit` are not counted."""
    some = select(runs.c.id).where(*_dead(tenant)).limit(limit).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def _dead(tenant: str) -> Sequence[ColumnElement[bool]]:
    return matches(RunFilter(tenant=tenant, is_redrivable=True))


def _known(connection: Connection) -> Select[Any]:
    return select(workers, database_now(connection.dialect).label("now"))


def _worker_of(row: Any) -> KnownWorker:
    values: dict[str, Any] = dict(row)
    now: datetime = values.pop("now")
    graphs = json.loads(values.pop("graphs"))
    return KnownWorker(
        **{name: value for name, value in values.items() if name not in {"beat_ms", "lease_ms"}},
        graphs=[(name, fingerprint) for name, fingerprint in graphs],
        beat_s=values["beat_ms"] / 1000,
        lease_s=values["lease_ms"] / 1000,
        silent_s=max((now - values["seen_at"]).total_seconds(), 0.0),
    )


@prepared()
def _check_in(dialect: Dialect) -> ReturningUpdate[Any]:
    own = (
        select(workers.c.id)
        .where(workers.c.id == bindparam("worker"))
        .with_for_update(skip_locked=True)
    )
    return (
        update(workers)
        .where(workers.c.id.in_(own))
        .values(seen_at=database_now(dialect), ended_at=None)
        .returning(workers.c.drain_by)
    )


@prepared()
def _add(dialect: Dialect) -> Insert:
    columns = ("id", "host", "pid", "version", "graphs", "slot_count", "beat_ms", "lease_ms")
    now = database_now(dialect)
    return insert_or_keep(dialect, workers).values(
        **{name: bindparam(name, type_=workers.c[name].type) for name in columns},
        started_at=now,
        seen_at=now,
    )
