"""How much a worker does at a time, and how long it waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much a worker does at a time, and how long it waits for what.

    A worker that drives twice as many runs and gives a run an hour without progress:

        worker = Worker(store, checkpointer, catalog, pace=Pace(slots=16, progress_s=3600))
    """

    slots: int = 8
    """Runs driven at once."""
    beat_s: float = 1.0
    """Seconds between two heartbeats; a cancellation is seen within this time."""
    lease_s: float = 5.0
    """A worker without a heartbeat for so many seconds loses its runs."""
    poll_s: float = 0.5
    """Seconds between two looks for runs that another process queued."""
    progress_s: float = 900.0
    """A run without progress for so many seconds fails, unless its graph says another time."""
    lost_limit: int = 3
    """A run that has lost so many workers fails as poison."""
