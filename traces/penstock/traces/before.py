"""What was before a segment: segments whose workers were lost, and since when gates count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.contracts.audit import AuditEvent
from penstock.contracts.run import RunStatus

_CLAIMED = "run.claimed"
_LEFT = frozenset(f"run.{status}" for status in RunStatus if status is not RunStatus.RUNNING)
"""What ends a segment; a run that is queued for the first time has no epoch yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A segment that its worker did not come to the end of."""

    epoch: int
    worker: str
    began_at: datetime
    ended_at: datetime
    """When the worker was declared dead."""


def lost_before(events: Sequence[AuditEvent], epoch: int) -> tuple[Sequence[Lost], datetime | None]:
    """Return what was lost right before a segment, and when the one before that began.

    None where there was none. Several workers may have been lost one after the other, each before
    it could write down what it had found.
    """
    began = {_epoch(each): each for each in events if each.action == _CLAIMED}
    left: dict[int, AuditEvent] = {}
    for each in events:
        if each.action in _LEFT:
            left.setdefault(_epoch(each), each)
    lost: list[Lost] = []
    for number in range(epoch - 1, 0, -1):
        claimed, end = began.get(number), left.get(number)
        if claimed is None or end is None:
            break
        worker = end.detail.get("lost_worker")
        if worker is None:
            return lost, claimed.at
        lost.append(Lost(epoch=number, worker=str(worker), began_at=claimed.at, ended_at=end.at))
    return lost, None


def _epoch(event: AuditEvent) -> int:
    found = event.detail.get("epoch")
    return found if isinstance(found, int) else 0
