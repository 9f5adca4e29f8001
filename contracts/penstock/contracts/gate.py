"""A gate: a question to people that a run waits for."""

from enum import StrEnum


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
