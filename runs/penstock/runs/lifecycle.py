"""Transitions of a run together with everything that belongs to it: calls, gates and children."""

from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import gates, ledger, runs
from penstock.contracts.bulk import SeenRun, seen_run
from penstock.contracts.errors import IllegalTransition, RunStale
from penstock.contracts.gate import BudgetAnswer, Gate, GateKind
from penstock.contracts.ids import RunId
from penstock.contracts.run import Run, RunStatus


def cancel(
    connection: Connection, run_id: RunId, *, at: datetime, by: str, reason: str | None
) -> Run:
    """Cancel a run and all runs that it has started, and return it.

    Raises:
        IllegalTransition: the run is over and was not cancelled.
        UnknownRun: there is no such run.
    """
    run = runs.cancel(connection, run_id, at=at, by=by, reason=reason)
    for child in runs.living_children(connection, run_id):
        cancel(connection, child, at=at, by=by, reason=reason)
    return put_calls_in_doubt(connection, run, at=at, actor=by)


def put_calls_in_doubt(connection: Connection, run: Run, *, at: datetime, actor: str) -> Run:
    """Put the unsettled calls of a run in doubt, if it was cancelled; return the run.

    It belongs in the transaction of whatever may have cancelled it.
    """
    if run.status is RunStatus.CANCELLED:
        ledger.doubt_unsettled(connection, run.id, at=at, actor=actor)
    return run


def redrive(connection: Connection, run_id: RunId, *, is_bulk: bool, at: datetime, by: str) -> Run:
    """Queue a failed run again, with its failed calls and its open gates; return it.

    Raises:
        IllegalTransition: it has not failed, or a redrive cannot help it; or, in bulk, one of its
            calls is in doubt.
        UnknownRun: there is no such run.
    """
    if is_bulk and ledger.is_doubted(connection, run_id):
        raise IllegalTransition(
            f"nobody has said yet what became of a call of run `{run_id}`; decide its gate,"
            " or redrive it alone"
        )
    run = runs.redrive(connection, run_id, at=at, by=by)
    ledger.make_retryable(connection, run_id)
    gates.supersede_for_redrive(connection, run_id, at=at, actor=by)
    return run


def require_unchanged(connection: Connection, run_id: RunId, seen: SeenRun | None) -> None:
    """Lock a run, if it still is as it was seen; without `seen`, do nothing.

    Raises:
        RunStale: it has changed since.
    """
    if seen is None:
        return
    runs.lock(connection, run_id)
    run = runs.get(connection, run_id)
    if seen_run(run) != seen:
        by = f" by `{run.cancel_by}`" if run.cancel_by is not None else ""
        raise RunStale(
            f"run `{run_id}` was {seen.status} when it was seen, and has changed since: it is"
            f" {run.status}{by} now"
        )


def stop_at_budget_gate(connection: Connection, gate: Gate, *, at: datetime, by: str) -> bool:
    """End a waiting run if the answer at its budget gate says so; return whether it was ended.

    A run that does not wait reads the answer itself.
    """
    run = runs.get(connection, gate.run_id)
    is_stop = gate.kind is GateKind.BUDGET and gates.exhaustion_answer(gate) is BudgetAnswer.STOP
    if not is_stop or run.status is not RunStatus.WAITING:
        return False
    failure = gates.stop_failure(gate)
    runs.move(connection, run.fence, RunStatus.FAILED, at=at, actor=by, failure=failure)
    return True
