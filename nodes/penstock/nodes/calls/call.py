"""One tool call on its way through the stages."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock.contracts.call import Attempt, Failed, InDoubt, Outcome, Refused
from penstock.contracts.effect import Effect, NewEffect
from penstock.contracts.gate import Edit, Gate
from penstock.contracts.ids import GateId
from penstock.contracts.policy import GateRule, RecordedDecision
from penstock.nodes.tools.arguments import Checked
from penstock.nodes.tools.tool import Tool
from penstock.traces import OpenSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """An effect of which nobody knows whether it happened."""

    effect: Effect
    may_land: bool
    """Whether its attempt may still be under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """An approval; whether it was given for this call is asked when the call begins."""

    gate_id: GateId


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call whose arguments fit the contract."""

    tool: Tool[Any]
    checked: Checked
    effect: NewEffect
    """What the ledger is told of it."""
    injected: Mapping[str, object]
    """What LangChain gives the function, by its parameters."""
    doubted: Doubted | None = None
    """What the ledger has of it, where that is in doubt."""
    begun: Effect | None = None
    """What the ledger has of it, where an attempt was begun and nobody knows what came of it."""
    asked: Sequence[Gate] = ()
    """The gates that have asked people whether it may happen."""
    edit: Edit | None = None
    """What a person has made of its arguments, where one has."""
    undoes: bool = False
    """Whether it undoes another call, because a person decided so."""
    rules: tuple[GateRule, ...] = ()
    """What it needs gates for, whatever its policy says."""
    ahead: RecordedDecision | Refused | None = None
    """What its policy says of it, where that was asked with what the ledger has of it."""
    decided: RecordedDecision | None = None
    """What its policy says of it."""
    consent: Consent | None = None
    """What people have said of it; it is used up when the call begins."""
    provider_id: str | None = None
    """What a provider calls it, where a model asked for it."""
    span: OpenSpan = field(default_factory=OpenSpan)
    """Its span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """A call and the attempt in which it is made."""

    call: ToolCall
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """An attempt came to a result."""

    text: str
    """As it is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """The function of a call asks people something: nothing has happened yet."""

    number: int
    """Which of its questions it is, from 0."""
    question: str
    """As JSON."""
    answer_schema: str | None
    """JSON Schema of the answer, as JSON, where there is one."""


Ending = Produced | Failed | InDoubt
"""What an attempt comes to, before it is settled."""

Next = Callable[[ToolCall], Coroutine[Any, Any, Outcome]]


class Stage(Protocol):
    """One concern of every call. It ends the call by returning, or lets it go on by `following`."""

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Do what is to be done before, after, or instead of the stages that follow."""
        ...


def chain(stages: Sequence[Stage], last: Next) -> Next:
    """Fold stages into one function: the first is the outermost."""
    following = last
    for stage in reversed(stages):
        following = _bound(stage, following)
    return following


def _bound(stage: Stage, following: Next) -> Next:
    return lambda call: stage(call, following)
