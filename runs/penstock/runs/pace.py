"""How much a worker does at a time, and how long it waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much a worker does at a time, and how long it waits for what."""

    slots: int = 8
    """Runs driven at once."""
    beat_s: float = 1.0
    """Between two signs of life; a cancellation is seen within this time."""
    lease_s: float = 5.0
    """Without a sign of life for so long, a worker is taken for dead."""
    poll_s: float = 0.5
    """Between two looks for runs that another process queued."""
    progress_s: float = 900.0
    """A run of which nothing was heard for so long fails, unless its graph says another time."""
    lost_limit: int = 3
    """A run that took so many workers down fails as poison."""
