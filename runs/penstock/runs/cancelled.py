"""What a cancellation leaves behind: tool calls of which nobody knows whether they happened."""

from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import ledger
from penstock.contracts.run import Run, RunStatus


def leave_calls(connection: Connection, run: Run, *, at: datetime, actor: str) -> Run:
    """Put in doubt what a run has begun and not settled, if it was cancelled; return the run.

    It belongs in the transaction of whatever may have cancelled it.
    """
    if run.status is RunStatus.CANCELLED:
        ledger.leave(connection, run.id, at=at, actor=actor)
    return run
