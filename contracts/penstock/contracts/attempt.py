"""One attempt of a tool call, as the tool itself sees it."""

from dataclasses import dataclass
from datetime import datetime

from penstock.contracts.ids import IdempotencyKey, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a tool may know of the attempt it is run in."""

    key: IdempotencyKey
    number: int
    """From 1; the key is the same in each."""
    deadline_at: datetime
    """When the attempt is given up."""
    run_id: RunId
    """The run that calls."""
