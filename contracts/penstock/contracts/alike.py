"""Two runs side by side: how far they went the same way, and where they part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

from penstock.contracts.effect import Effect
from penstock.contracts.step import Step, StepStatus

_IDS = ("id", "tool_call_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two runs did at the same place of their way; None where one had ended."""

    one: Step | None
    other: Step | None

    @property
    def is_same(self) -> bool:
        """Whether both executed the same node, and it came to the same."""
        if self.one is None or self.other is None:
            return False
        return (self.one.node, self.one.status) == (self.other.node, self.other.status)


def paired(one: Sequence[Step], other: Sequence[Step]) -> Sequence[Pair]:
    """Return the steps of two runs side by side, each task as it was executed last."""
    return [Pair(one=mine, other=theirs) for mine, theirs in zip_longest(_last(one), _last(other))]


def calls_paired(
    one: Sequence[Effect], other: Sequence[Effect]
) -> Sequence[tuple[Effect | None, Effect | None]]:
    """Return the calls of two runs side by side: those of a tool in their order."""
    left: dict[tuple[str, int], Effect] = _numbered(one)
    right: dict[tuple[str, int], Effect] = _numbered(other)
    return [(left.get(place), right.get(place)) for place in dict.fromkeys([*left, *right])]


def without_ids(value: Any) -> Any:
    """Return plain data whose messages have no ids: those are other ones in each run."""
    match value:
        case dict():
            named = cast("Mapping[str, Any]", value)
            is_message = "content" in named or "args" in named
            return {
                name: without_ids(part)
                for name, part in named.items()
                if not (is_message and name in _IDS)
            }
        case list():
            return [without_ids(part) for part in cast("list[Any]", value)]
        case _:
            return value


def _last(steps: Sequence[Step]) -> Sequence[Step]:
    found = {step.task_id: step for step in steps}
    return [step for step in found.values() if step.status is not StepStatus.STARTED]


def _numbered(effects: Sequence[Effect]) -> dict[tuple[str, int], Effect]:
    found: dict[tuple[str, int], Effect] = {}
    counts: dict[str, int] = {}
    for effect in effects:
        at = counts[effect.tool] = counts.get(effect.tool, 0) + 1
        found[effect.tool, at] = effect
    return found
