"""An audit event: who did or decided what, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from penstock.contracts.ids import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One row of the append-only record, written in the transaction of what it tells of."""

    tenant: str
    at: datetime
    actor: str
    """Who did it: a worker's id, a person's, or `system`."""
    action: str
    """What happened, as `noun.verb`: `run.claimed`, `gate.decided`."""
    run_id: RunId | None
    detail: Mapping[str, str | int | bool | None]
    """What a reader needs to follow it. Ids and versions, never a payload."""
