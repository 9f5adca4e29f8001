"""When the time of a run is over."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, update

from penstock.checkpoints.schema import runs
from penstock.contracts.run import (
    Run,
)


def deadline(deadline_s: float | None, at: datetime) -> datetime | None:
    """Return when a run that begins now is to be over; None where it may take for ever."""
    return None if deadline_s is None else at + timedelta(seconds=deadline_s)


def put_off(connection: Connection, run: Run, *, by: timedelta) -> None:
    """Put a run's deadline off by a time that does not count."""
    if run.deadline_at is None or by <= timedelta():
        return
    connection.execute(
        update(runs)
        .where(runs.c.id == run.id, runs.c.deadline_at == run.deadline_at)
        .values(deadline_at=run.deadline_at + by)
    )
