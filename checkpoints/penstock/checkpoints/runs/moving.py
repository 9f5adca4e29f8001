"""Moving runs from state to state: each an update that holds its own guard."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import gates, run_sql
from penstock.checkpoints.runs.deadlines import put_off
from penstock.checkpoints.runs.reading import get
from penstock.checkpoints.runs.rows import run_of, tell
from penstock.contracts.errors import IllegalTransition
from penstock.contracts.gate import Question
from penstock.contracts.ids import GateId, RunId, WorkerId
from penstock.contracts.run import (
    ENDED,
    Failure,
    Fence,
    Run,
    RunStatus,
    sources,
)
from penstock.contracts.signals import LeaseLost


def claim(
    connection: Connection, run_id: RunId, worker: WorkerId, *, lease_s: float, at: datetime
) -> Run | None:
    """Take a queued run for `worker`; return it, or nothing if it is not to be had."""
    params = {"run_id": run_id, "worker": worker, "lease_s": lease_s, "at": at}
    found = run_sql.claim.first(connection, params)
    if found is None:
        return None
    run = run_of(found)
    tell(connection, run, "run.claimed", at=at, actor=worker)
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
    """Move a run to another state, if it still is at the fence's epoch; return it as it is now.

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
    row = run_sql.moves[to].first(
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
    tell(connection, run, f"run.{to}", at=at, actor=actor, lost=lost, reason=reason)
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
    """Let a run wait at its gates; it goes back to the queue if one was decided meanwhile.

    `others` are the gates that its calls wait at: they are open already, or were.

    One that was to be cancelled is cancelled, and asks nothing.

    Raises:
        LeaseLost, IllegalTransition, UnknownRun: as `move`.
    """
    run = move(connection, fence, RunStatus.WAITING, at=at, actor=actor)
    if run.cancel_by is not None:
        # No worker will see the flag while it waits, and nobody asks for a cancellation twice.
        return move(connection, fence, RunStatus.CANCELLED, at=at, actor=actor)
    gates.ask(connection, run, questions, at=at)
    waits_for = [*(question.id for question in questions), *others]
    if gates.any_closed(connection, waits_for):
        # Closed while the run was still on its way here, so nobody else will wake it.
        return move(connection, fence, RunStatus.QUEUED, at=at, actor=actor)
    return run


def wake(connection: Connection, run_id: RunId, *, at: datetime, actor: str) -> Run:
    """Queue a run that waits; one that does not is left as it is.

    The time at the gate does not count for its deadline.
    """
    run = get(connection, run_id)
    if run.status is not RunStatus.WAITING:
        return run
    put_off(connection, run, by=at - run.changed_at)
    return move(connection, run.fence, RunStatus.QUEUED, at=at, actor=actor)


def _refusal(run: Run, fence: Fence, to: RunStatus) -> LeaseLost | IllegalTransition:
    if run.epoch != fence.epoch:
        return LeaseLost(f"run `{run.id}` is at epoch {run.epoch}, not at {fence.epoch} any more")
    wanted = ", ".join(sorted(sources(to)))
    return IllegalTransition(
        f"run `{run.id}` is {run.status} and cannot become {to}: only from {wanted}",
    )
