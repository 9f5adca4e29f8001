"""What a store did when a run was to be forgotten."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """One line of the report about a run that was forgotten."""

    store: str
    """What was looked through: `checkpoints`, `effects`, `traces`."""
    count: int
    """How many rows were erased, or lost what they said."""
    kept: str | None = None
    """What is still there, and why; None where nothing is."""
