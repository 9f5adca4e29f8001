"""What operators do to runs: cancel, pause, resume, redrive."""

from datetime import datetime

from sqlalchemy import Connection, text, update

from penstock.checkpoints.runs.deadlines import deadline, put_off
from penstock.checkpoints.runs.moving import move
from penstock.checkpoints.runs.reading import get, lock
from penstock.checkpoints.runs.rows import tell
from penstock.checkpoints.schema import one_of, runs
from penstock.contracts.errors import IllegalTransition
from penstock.contracts.ids import RunId
from penstock.contracts.run import (
    LIVE,
    Run,
    RunStatus,
)


def cancel(
    connection: Connection, run_id: RunId, *, at: datetime, by: str, reason: str | None = None
) -> Run:
    """Cancel a run: at once where nobody drives it, else as soon as its worker sees it.

    Who asked first, when and why is kept, also where it is asked again.

    Raises:
        IllegalTransition: the run is over and was not cancelled.
        UnknownRun: there is no such run.
    """
    lock(connection, run_id)
    asked = {"cancel_by": by, "cancel_at": at, "cancel_reason": reason}
    flagged = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.status == RunStatus.RUNNING, runs.c.cancel_by.is_(None))
        .values(**asked),
    )
    run = get(connection, run_id)
    if flagged.rowcount == 1:
        tell(connection, run, "run.cancel_asked", at=at, actor=by, reason=reason)
        return run
    if run.status in {RunStatus.RUNNING, RunStatus.CANCELLED}:
        return run
    connection.execute(update(runs).where(runs.c.id == run_id).values(**asked))
    return move(connection, run.fence, RunStatus.CANCELLED, at=at, actor=by)


def pause(
    connection: Connection, run_id: RunId, *, at: datetime, by: str, reason: str | None = None
) -> Run:
    """Keep a run from being claimed until it is resumed; one that is driven is given back.

    Who paused it first, when and why is kept. Its gates stay open, and may be decided.

    Raises:
        IllegalTransition: the run is over.
        UnknownRun: there is no such run.
    """
    lock(connection, run_id)
    paused = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, text(one_of("status", LIVE)), runs.c.pause_by.is_(None))
        .values(pause_by=by, pause_at=at, pause_reason=reason)
    )
    run = _still_live(get(connection, run_id), "paused")
    if paused.rowcount == 1:
        tell(connection, run, "run.paused", at=at, actor=by, reason=reason)
    return run


def resume(connection: Connection, run_id: RunId, *, at: datetime, by: str) -> Run:
    """Let a run that was paused go on; one that was not is left as it is.

    What it spent in the queue under its pause does not count for its deadline.

    Raises:
        IllegalTransition: the run is over.
        UnknownRun: there is no such run.
    """
    lock(connection, run_id)
    run = _still_live(get(connection, run_id), "resumed")
    resumed = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.pause_by.is_not(None))
        .values(pause_by=None, pause_at=None, pause_reason=None)
    )
    if resumed.rowcount == 0:
        return run
    if run.status is RunStatus.QUEUED and run.pause_at is not None:
        # Time at a gate is put off when the gate is decided, and a worker's counts.
        put_off(connection, run, by=at - max(run.pause_at, run.changed_at))
    tell(connection, run, "run.resumed", at=at, actor=by)
    return get(connection, run_id)


def redrive(connection: Connection, run_id: RunId, *, at: datetime, by: str) -> Run:
    """Queue a failed run again; it goes on from its last checkpoint.

    A cancellation or a pause that its failure overtook is forgotten, and its time begins anew.

    Raises:
        IllegalTransition: it has not failed, or a redrive cannot help it.
        UnknownRun: there is no such run.
    """
    run = get(connection, run_id)
    if run.failure is not None and not run.failure.redrivable:
        msg = f"run `{run_id}` failed for good ({run.failure.message}); start a new run instead"
        raise IllegalTransition(msg)
    if run.status is not RunStatus.FAILED:
        msg = f"run `{run_id}` is {run.status}; only a failed run can be redriven"
        raise IllegalTransition(msg)
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(
            lost_count=0,
            cancel_by=None,
            cancel_at=None,
            cancel_reason=None,
            pause_by=None,
            pause_at=None,
            pause_reason=None,
            deadline_at=deadline(run.deadline_s, at),
        )
    )
    return move(connection, run.fence, RunStatus.QUEUED, at=at, actor=by)


def _still_live(run: Run, what: str) -> Run:
    if run.status in LIVE:
        return run
    raise IllegalTransition(
        f"run `{run.id}` is {run.status} and cannot be {what}: only a run that is not over can"
    )
