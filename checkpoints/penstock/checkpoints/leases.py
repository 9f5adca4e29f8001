"""Leases: which worker drives which run, and what becomes of the runs of a lost worker.

A lease has an end: a worker that does not prolong it until then is considered lost, and its runs
are queued again. It may be alive all the same, stopped or cut off, which is why a run has an epoch.
The clock that counts is the database's, one for all workers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    false,
    or_,
    select,
    text,
    update,
)

from penstock.checkpoints import budgets
from penstock.checkpoints import runs as stored
from penstock.checkpoints.schema import one_of, runs
from penstock.checkpoints.statements import Prepared, database_now, prepared
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import LIVE, Failure, FailureCode, Fence, Run, RunStatus

SWEEP_LIMIT = 100
"""How many runs one sweep handles; the next sweep goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRun:
    """A run that a worker still holds."""

    fence: Fence
    cancel_by: str | None
    """Who asked for it to be cancelled."""
    is_paused: bool
    """Whether it is to go back to the queue, and to stay there."""


def claim(
    connection: Connection,
    worker: WorkerId,
    *,
    graphs: Collection[tuple[str, str]],
    limit: int,
    lease_s: float,
    at: datetime,
) -> Sequence[Run]:
    """Take up to `limit` queued runs for `worker`, those that wait longest first.

    Only runs of `graphs`, each a name and a fingerprint, and of each thread only the oldest run
    that is not over: a thread is driven by one run at a time.
    """
    waiting = _waiting(tuple(sorted(graphs))).rows(connection, {"most": limit})
    claimed = [
        stored.claim(connection, RunId(row["id"]), worker, lease_s=lease_s, at=at)
        for row in waiting
    ]
    return [run for run in claimed if run is not None]


def beat(
    connection: Connection, worker: WorkerId, driven: Collection[RunId], *, lease_s: float
) -> Sequence[HeldRun]:
    """Prolong the leases of the runs that `worker` drives, and return those it still holds.

    A run that it holds and does not drive any more expires, and is taken over.
    """
    rows = connection.execute(
        update(runs)
        .where(_is_held(worker), runs.c.id.in_(driven))
        .values(lease_expires_at=database_now(connection.dialect, plus_s=lease_s))
        .returning(*_HELD)
    )
    return [_held(*row) for row in rows]


def held_by(connection: Connection, worker: WorkerId) -> Sequence[HeldRun]:
    """Return the runs that `worker` holds, with pending requests; nothing is prolonged."""
    return [_held(*row) for row in connection.execute(select(*_HELD).where(_is_held(worker)))]


def sweep(connection: Connection, *, lost_limit: int, at: datetime, actor: str) -> Sequence[Run]:
    """Queue the runs whose lease has expired; return them as they are now.

    A run that has lost `lost_limit` workers fails as `poison`: it takes its workers down.
    """
    expired = (
        select(runs.c.id, runs.c.epoch, runs.c.worker_id, runs.c.lost_count, runs.c.cancel_by)
        .where(
            runs.c.status == RunStatus.RUNNING,
            runs.c.lease_expires_at < database_now(connection.dialect),
        )
        .order_by(runs.c.lease_expires_at)
        .limit(SWEEP_LIMIT)
        .with_for_update(skip_locked=True)
    )
    swept: list[Run] = []
    for run_id, epoch, lost, lost_count, cancel_by in connection.execute(expired).fetchall():
        fence = Fence(run_id=run_id, epoch=epoch)
        connection.execute(
            update(runs).where(runs.c.id == run_id).values(lost_count=lost_count + 1)
        )
        if cancel_by is not None:
            to, failure = RunStatus.CANCELLED, None
        elif lost_count + 1 >= lost_limit:
            to, failure = RunStatus.FAILED, _poison(lost_count + 1)
        else:
            to, failure = RunStatus.QUEUED, None
        _count_time(connection, stored.get(connection, run_id), at=at)
        swept.append(
            stored.move(connection, fence, to, at=at, actor=actor, failure=failure, lost=lost)
        )
    return swept


_HELD = (runs.c.id, runs.c.epoch, runs.c.cancel_by, runs.c.pause_by)


def _is_held(worker: WorkerId) -> ColumnElement[bool]:
    return and_(runs.c.worker_id == worker, runs.c.status == RunStatus.RUNNING)


def _held(run_id: RunId, epoch: int, cancel_by: str | None, pause_by: str | None) -> HeldRun:
    fence = Fence(run_id=run_id, epoch=epoch)
    return HeldRun(fence=fence, cancel_by=cancel_by, is_paused=pause_by is not None)


@lru_cache(maxsize=16)
def _waiting(graphs: tuple[tuple[str, str], ...]) -> Prepared:
    """Return the query for `most` queued runs of `graphs` whose thread is free."""
    older = runs.alias("older")
    free = ~exists().where(
        older.c.thread_id == runs.c.thread_id,
        # As literals, not parameters: only then does the index of live runs serve it.
        text(one_of("older.status", LIVE)),
        older.c.id < runs.c.id,
    )
    known = [
        and_(runs.c.graph == name, runs.c.fingerprint == fingerprint)
        for name, fingerprint in graphs
    ]

    @prepared()
    def waiting(_: Dialect) -> Select[Any]:
        return (
            select(runs.c.id)
            .where(
                runs.c.status == RunStatus.QUEUED,
                runs.c.pause_by.is_(None),
                or_(false(), *known),
                free,
            )
            .order_by(runs.c.changed_at, runs.c.id)
            .limit(bindparam("most", type_=Integer))
            .with_for_update(skip_locked=True, of=runs)
        )

    return waiting


def _count_time(connection: Connection, run: Run, *, at: datetime) -> None:
    """Add the time that a lost worker drove a run to its account, up to its lease's end.

    The time after it does not count: all workers may have been away.
    """
    budgets.record_driven_time(connection, run, until=min(at, run.lease_expires_at or at))


def _poison(lost_count: int) -> Failure:
    return Failure(
        code=FailureCode.POISON,
        message=(
            f"{lost_count} workers were lost while they drove this run; look at what its next step"
            " does to its process, mend that, and redrive the run"
        ),
        redrivable=True,
    )
