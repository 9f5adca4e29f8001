"""What is written back to where traces are shown: how people decided, and how runs ended."""

from dataclasses import dataclass
from enum import StrEnum

from penstock.contracts.ids import GateId, RunId


class AnnotationKind(StrEnum):
    """What is told."""

    DECISION = "decision"
    """How a gate was closed, on the span of the waiting."""
    OUTCOME = "outcome"
    """How a run ended, on its trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Something that is to be told of a gate or a run."""

    subject: str
    """Names it among all: `gate:<id>` or `run:<id>:<epoch>`."""
    kind: AnnotationKind
    run_id: RunId
    gate_id: GateId | None
    """Only of a decision."""
    attempt_count: int
    """How often it was taken, this time included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationCounts:
    """How the telling goes."""

    waiting: int
    """Taken and not told yet."""
    given_up: int
    """Tried as often as it is tried, without success."""
