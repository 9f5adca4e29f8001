"""What is noted about a chain by whoever looks after it, and which events somebody looks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.contracts.audit import ChainedEvent
from penstock.contracts.ids import GateId, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How far a chain was verified, and what was found."""

    number: int
    """Every event up to this one was as it was written; 0 where not even the first."""
    hash: str
    """Of that event, as it was then."""
    at: datetime
    by: str
    """Who had it verified, and with what: `ann, in the control room`."""
    whole_at: datetime | None
    """When the whole of it was looked at last: `at`, or before, where only what came since was."""
    fault: str | None = None
    """The first thing that was wrong, as a sentence; None where nothing was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is noted about a tenant's chain."""

    tenant: str
    cut_number: int
    """Events up to this one are older than they are kept."""
    shipped_number: int
    """Of the last head that was signed and written out; 0 where none was."""
    shipped_at: datetime | None
    shipped_to: str | None
    """A file, or the host of a URL; None as long as no head was written out."""
    failed_at: datetime | None
    """When a head could not be written out; None where the last one was."""
    failure: str | None
    verification: Verification | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events of a tenant; what is None does not matter."""

    tenant: str
    action: str | None = None
    actor: str | None = None
    run_id: RunId | None = None
    gate_id: GateId | None = None
    tool: str | None = None
    since: datetime | None = None
    """Written then or later, by the clock of whoever wrote it."""
    until: datetime | None = None
    """Written before then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvents:
    """Events that fit, the last one first, and how far back was looked for them."""

    events: Sequence[ChainedEvent]
    looked_to: int
    """Every event down to this number was looked at."""
    is_end: bool
    """Whether there are none before."""
