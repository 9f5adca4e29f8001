"""Transitions of runs from state to state, by workers and by operators.

Each is an update that holds its own guard.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, text, update

from penstock.checkpoints import gates
from penstock.checkpoints.runs import rows
from penstock.checkpoints.runs.queries import get, lock
from penstock.checkpoints.runs.rows import record_event, run_of
from penstock.checkpoints.schema import one_of, runs
from penstock.contracts.errors import IllegalTransition
from penstock.contracts.gate import Question
from penstock.contracts.ids import GateId, RunId, WorkerId
from penstock.contracts.run import (
    ENDED,
    LIVE,
    Failure,
    Fence,
    Run,
    RunStatus,
    sources,
)
from penstock.contracts.signals import LeaseLost


def deadline(deadline_s: float | None, at: datetime) -> datetime | None:
    """Return the deadline of a run that begins at `at`; None without a limit."""
    return None if deadline_s is None else at + timedelta(seconds=deadline_s)


def extend_deadline(connection: Connection, run: Run, *, by: timedelta) -> None:
    """Extend a run's deadline by a time that does not count."""
    if run.deadline_at is None or by <= timedelta():
        return
    connection.execute(
        update(runs)
        .where(runs.c.id == run.id, runs.c.deadline_at == run.deadline_at)
        .values(deadline_at=run.deadline_at + by)
    )


def claim(
    connection: Connection, run_id: RunId, worker: WorkerId, *, lease_s: float, at: datetime
) -> Run | None:
    """Claim a queued run for `worker`; return it, or None if it cannot be claimed."""
    params = {"run_id": run_id, "worker": worker, "lease_s": lease_s, "at": at}
    found = rows.claim.first(connection, params)
    if found is None:
        return None
    run = run_of(found)
    record_event(connection, run, "run.claimed", at=at, actor=worker)
    return run


def move(
    connection: Connection,
    fence: Fence,
    to: RunStatus,
    *,
    at: datetime,
    actor: str,
    failure: Failure | None = None,
    lost: WorkerId | None = None,
) -> Run:
    """Move a run to another state, if it is still at the fence's epoch; return it as it is now.

    A run becomes running only by `claim`. `failure` says why it failed, and only then; `lost`
    names the worker that it is taken from. With its end, its open gates close.

    Raises:
        LeaseLost: somebody has claimed the run since.
        IllegalTransition: a run in its state cannot make this move.
        UnknownRun: there is no such run.
    """
    if to is RunStatus.RUNNING:
        raise _refusal(get(connection, fence.run_id), fence, to)
    is_fresh = to in {RunStatus.WAITING, RunStatus.SUCCEEDED}
    row = rows.moves[to].first(
        connection,
        {
            "run_id": fence.run_id,
            "at_epoch": fence.epoch,
            "lost_factor": 0 if is_fresh else 1,
            "at": at,
            "ended_at": at if to in ENDED else None,
            "code": None if failure is None else failure.code,
            "message": None if failure is None else failure.message,
            "redrivable": None if failure is None else failure.redrivable,
        },
    )
    if row is None:
        raise _refusal(get(connection, fence.run_id), fence, to)
    run = run_of(row)
    reason = run.cancel_reason if to is RunStatus.CANCELLED else None
    record_event(connection, run, f"run.{to}", at=at, actor=actor, lost=lost, reason=reason)
    if to in ENDED:
        gates.cancel_open(connection, run.id, at=at, actor=actor)
    return run


def park(
    connection: Connection,
    fence: Fence,
    questions: Sequence[Question],
    *,
    others: Sequence[GateId] = (),
    at: datetime,
    actor: str,
) -> Run:
    """Park a run at its gates; it returns to the queue if a gate was decided meanwhile.

    `others` are the gates of its calls, which were opened before.

    A run whose cancellation was requested is cancelled, and opens no gate.

    Raises:
        LeaseLost, IllegalTransition, UnknownRun: as `move`.
    """
    run = move(connection, fence, RunStatus.WAITING, at=at, actor=actor)
    if run.cancel_by is not None:
        # No worker sees the flag while the run waits, and nobody requests a cancellation twice.
        return move(connection, fence, RunStatus.CANCELLED, at=at, actor=actor)
    gates.open_questions(connection, run, questions, at=at)
    waits_for = [*(question.id for question in questions), *others]
    if gates.any_closed(connection, waits_for):
        # The gate was closed before the run was parked, so nothing else will wake the run.
        return move(connection, fence, RunStatus.QUEUED, at=at, actor=actor)
    return run


def wake(connection: Connection, run_id: RunId, *, at: datetime, actor: str) -> Run:
    """Queue a run that waits; another is left as it is.

    The time at the gate does not count for its deadline.
    """
    run = get(connection, run_id)
    if run.status is not RunStatus.WAITING:
        return run
    extend_deadline(connection, run, by=at - run.changed_at)
    return move(connection, run.fence, RunStatus.QUEUED, at=at, actor=actor)


def cancel(
    connection: Connection, run_id: RunId, *, at: datetime, by: str, reason: str | None = None
) -> Run:
    """Cancel a run: at once if no worker drives it, else as soon as its worker sees the request.

    The first request is kept: who, when and why.

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
        record_event(connection, run, "run.cancel_asked", at=at, actor=by, reason=reason)
        return run
    if run.status in {RunStatus.RUNNING, RunStatus.CANCELLED}:
        return run
    connection.execute(update(runs).where(runs.c.id == run_id).values(**asked))
    return move(connection, run.fence, RunStatus.CANCELLED, at=at, actor=by)


def pause(
    connection: Connection, run_id: RunId, *, at: datetime, by: str, reason: str | None = None
) -> Run:
    """Keep a run from being claimed until it is resumed; one that is driven returns to the queue.

    The first request is kept: who, when and why. Its gates stay open, and may be decided.

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
        record_event(connection, run, "run.paused", at=at, actor=by, reason=reason)
    return run


def resume(connection: Connection, run_id: RunId, *, at: datetime, by: str) -> Run:
    """Let a paused run continue; another is left as it is.

    The time that it spent paused in the queue does not count for its deadline.

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
        # The time at a gate extends the deadline when the gate is decided; a worker's time counts.
        extend_deadline(connection, run, by=at - max(run.pause_at, run.changed_at))
    record_event(connection, run, "run.resumed", at=at, actor=by)
    return get(connection, run_id)


def redrive(connection: Connection, run_id: RunId, *, at: datetime, by: str) -> Run:
    """Queue a failed run again; it goes on from its last checkpoint.

    A cancellation or a pause that its failure overtook is dropped, and its deadline starts again.

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


def _refusal(run: Run, fence: Fence, to: RunStatus) -> LeaseLost | IllegalTransition:
    if run.epoch != fence.epoch:
        return LeaseLost(f"run `{run.id}` is at epoch {run.epoch}, not at {fence.epoch} any more")
    wanted = ", ".join(sorted(sources(to)))
    return IllegalTransition(
        f"run `{run.id}` is {run.status} and cannot become {to}: only from {wanted}",
    )


def _still_live(run: Run, what: str) -> Run:
    if run.status in LIVE:
        return run
    raise IllegalTransition(
        f"run `{run.id}` is {run.status} and cannot be {what}: only a run that is not over can"
    )
