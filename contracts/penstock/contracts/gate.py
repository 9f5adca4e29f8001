"""A gate: a question to people that a run waits for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.ids import GateId, IdempotencyKey, RunId


class GateKind(StrEnum):
    """What is asked."""

    APPROVAL = "approval"
    """May this call happen?"""
    QUESTION = "question"
    """The graph asks something of its own: a plain LangGraph `interrupt`."""
    IN_DOUBT = "in_doubt"
    """Did this call happen? The runtime cannot know."""
    BUDGET = "budget"
    """A cap was reached: raise it, finish or stop?"""


class GateStatus(StrEnum):
    """Where a gate stands. All but `open` are final."""

    OPEN = "open"
    DECIDED = "decided"
    EXPIRED = "expired"
    """Nobody answered in time; its default took effect."""
    CANCELLED = "cancelled"
    """The run ended before anybody answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a gate of kind `question` asks, as the graph put it."""

    id: GateId
    question: str
    """What the graph asks, as JSON."""
    answer_schema: str | None
    """JSON Schema of the answer, where the graph gave one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate as it is stored."""

    id: GateId
    tenant: str
    run_id: RunId
    kind: GateKind
    status: GateStatus
    question: str
    """What is asked, as JSON."""
    answer_schema: str | None
    """JSON Schema of the answer, where there is one."""
    answer: str | None
    """The answer, as JSON; only a decided gate has one, or one whose default took effect."""
    decided_by: str | None
    """Who answered; only a decided gate has one."""
    opened_at: datetime
    expires_at: datetime | None
    closed_at: datetime | None
    """When it was decided, expired or cancelled."""
    effect_key: IdempotencyKey | None
    """The effect that it asks about; only a gate of kind `in_doubt` has one."""
    wakes_at: datetime | None
    """When the run is to go on all the same, to look the effect up; None if it is not."""
