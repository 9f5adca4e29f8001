"""Acting on many runs at once: exactly those that somebody has looked over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.ids import RunId
from penstock.contracts.run import LIVE, Run, RunStatus


class BulkAction(StrEnum):
    """What is done to many runs at once."""

    CANCEL = "cancel"
    REDRIVE = "redrive"

    @property
    def sources(self) -> frozenset[RunStatus]:
        """The states of runs that it is possible for."""
        return LIVE if self is BulkAction.CANCEL else frozenset({RunStatus.FAILED})


class Exclusion(StrEnum):
    """Why a run is left out."""

    OVER = "over"
    """It is over already."""
    STOPPING = "stopping"
    """It is to be cancelled already; its worker is about to see it."""
    NOT_FAILED = "not_failed"
    """Only a failed run can be redriven."""
    FOR_GOOD = "for_good"
    """It failed so that a redrive cannot help it."""
    IN_DOUBT = "in_doubt"
    """Nobody has said yet what became of one of its calls, and somebody should first."""
    NOT_YOURS = "not_yours"
    """Whoever asks may not do this to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """A run as somebody has seen it. As soon as anything of this changes, it is another."""

    id: RunId
    graph: str
    principal: str
    status: RunStatus
    epoch: int
    changed_at: datetime
    cancel_by: str | None
    is_redrivable: bool
    """Whether it failed, and trying again can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPlan:
    """What a deed would do to the runs that fit; nothing has been done yet."""

    action: BulkAction
    targets: Sequence[SeenRun]
    """The runs that it would be done to, newest first."""
    left_out: Sequence[tuple[SeenRun, Exclusion]]
    over: Mapping[RunStatus, int]
    """How many runs fit as well that are in a state in which it is not possible."""
    has_more: bool
    """Whether more fit than were looked at."""


class BulkOutcome(StrEnum):
    """What a deed came to for one run."""

    APPLIED = "applied"
    SKIPPED = "skipped"
    """It could not be done, or not by this person."""
    STALE = "stale"
    """The run has changed since it was seen, and was left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What a deed came to for one run."""

    seen: SeenRun
    outcome: BulkOutcome
    run: Run | None
    """The run as it was left; only where it was applied."""
    why: str
    """Why it was not; empty where it was."""


def seen_run(run: Run) -> SeenRun:
    """Return what is seen of a run."""
    return SeenRun(
        id=run.id,
        graph=run.graph,
        principal=run.principal,
        status=run.status,
        epoch=run.epoch,
        changed_at=run.changed_at,
        cancel_by=run.cancel_by,
        is_redrivable=run.failure is not None and run.failure.redrivable,
    )
