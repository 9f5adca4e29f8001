"""A tool call, as it is known at each stage: admitted, recalled, authorized, approved, attempted.

Each stage of the pipeline takes one of these values and hands the next one on. So a value has no
fields that are only filled in later.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from penstock.contracts.call import Attempt, Failed, InDoubt, Outcome, Refused
from penstock.contracts.effect import Effect, EffectStatus, NewEffect
from penstock.contracts.gate import Edit, Gate
from penstock.contracts.ids import GateId
from penstock.contracts.policy import RecordedDecision
from penstock.nodes.tools.arguments import CheckedArguments
from penstock.nodes.tools.tool import Tool
from penstock.traces import OpenSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that was admitted: its arguments fit the contract."""

    tool: Tool[Any]
    checked: CheckedArguments
    effect: NewEffect
    """What the ledger records of it when it begins."""
    injected: Mapping[str, object]
    """The values that LangChain injects, by the function's parameters."""
    provider_id: str | None = None
    """The provider's id of the call; only a call that a model asked for has one."""
    undoes: bool = False
    """Whether it undoes another call, because a person decided so."""
    is_done_elsewhere: bool = False
    """Whether another thread of its lineage has made it, so that people have to approve it."""
    span: OpenSpan = field(default_factory=OpenSpan)
    """The span that is open around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalledCall:
    """A call, and what the store has recorded of it."""

    call: ToolCall
    """With the arguments that a person has put in place of its own, where one has."""
    edit: Edit | None
    """That person's edit."""
    gates: Sequence[Gate]
    """The gates at which people were asked whether it may happen."""
    effect: Effect | None
    """The ledger's row; None where the call has never begun."""
    may_land: bool
    """Whether the last attempt may still be under way somewhere."""
    decision: RecordedDecision | Refused | None
    """What its policy decides, where that was read together with the rest."""

    @property
    def is_begun(self) -> bool:
        """Whether an attempt was begun whose outcome is not recorded."""
        return self.effect is not None and self.effect.status is EffectStatus.STARTED

    @property
    def effect_in_doubt(self) -> Effect | None:
        """The ledger's row, where nobody knows whether the call happened."""
        is_in_doubt = self.effect is not None and self.effect.status is EffectStatus.IN_DOUBT
        return self.effect if is_in_doubt else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedCall:
    """A call that its policy allows, or asks people about."""

    recalled: RecalledCall
    decided: RecordedDecision

    @property
    def call(self) -> ToolCall:
        """The call itself."""
        return self.recalled.call


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedCall:
    """A call that may begin, once its claim has made sure that this still holds."""

    call: ToolCall
    decided: RecordedDecision
    approval: GateId | None
    """The gate whose approval is used up when it begins; None where nobody had to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptedCall:
    """A call, and the attempt in which it is made."""

    call: ToolCall
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """An attempt produced a result."""

    text: str
    """The result, as it is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsksQuestion:
    """The function of a call asks people a question: nothing has happened yet."""

    number: int
    """The question's number in the call, from 0."""
    question: str
    """As JSON."""
    answer_schema: str | None
    """JSON Schema of the answer, as JSON, where there is one."""


AttemptOutcome = Produced | Failed | InDoubt
"""The outcome of an attempt, before it is settled in the ledger."""

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)

Next = Callable[[A], Coroutine[Any, Any, Outcome]]
"""Takes a call through the stages that follow."""


class Stage(Protocol[A_contra, B_co]):
    """One concern of every call. It ends the call by returning, or hands it on to `following`."""

    async def __call__(self, call: A_contra, following: Next[B_co], /) -> Outcome:
        """Do what is to be done before, after, or instead of the stages that follow."""
        ...


class Stages(Generic[A, B]):
    """Stages in their order, the outermost first: they take an `A`, and hand on a `B`."""

    def __init__(self, fold: Callable[[Next[B]], Next[A]]) -> None:
        """Make stages of what puts them around the function that follows them."""
        self._fold = fold

    def then(self, stage: Stage[B, C]) -> "Stages[A, C]":
        """Add a stage within those that are there."""
        fold = self._fold
        return Stages(lambda following: fold(lambda call: stage(call, following)))

    def finally_(self, last: Next[B]) -> Next[A]:
        """Return the function that takes a call through all stages, and then to `last`."""
        return self._fold(last)


def starting_with(stage: Stage[A, B]) -> Stages[A, B]:
    """Return the stages that begin with this one."""
    return Stages(lambda following: lambda call: stage(call, following))
