"""What follows when a run is cancelled: its children, and calls that may have happened."""

from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import ledger, runs
from penstock.contracts.ids import RunId
from penstock.contracts.run import Run, RunStatus


def cancel(
    connection: Connection, run_id: RunId, *, at: datetime, by: str, reason: str | None
) -> Run:
    """Cancel a run and all that it has started, and return it.

    Raises:
        IllegalTransition: the run is over and was not cancelled.
        UnknownRun: there is no such run.
    """
    run = runs.cancel(connection, run_id, at=at, by=by, reason=reason)
    for child in runs.living_children(connection, run_id):
        cancel(connection, child, at=at, by=by, reason=reason)
    return put_calls_in_doubt(connection, run, at=at, actor=by)


def put_calls_in_doubt(connection: Connection, run: Run, *, at: datetime, actor: str) -> Run:
    """Put in doubt what a run has begun and not settled, if it was cancelled; return the run.

    It belongs in the transaction of whatever may have cancelled it.
    """
    if run.status is RunStatus.CANCELLED:
        ledger.doubt_unsettled(connection, run.id, at=at, actor=actor)
    return run
