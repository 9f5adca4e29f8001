"""The facts that the runtime adds to every call, whatever its tool."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class RuntimeFact(StrEnum):
    """Their names in `context.facts`."""

    NOW = "now"
    """The instant of the decision, in UTC."""
    WEEKDAY = "weekday"
    """The day of the week in UTC: 1 is Monday, 7 is Sunday."""
    SPENT_TODAY = "spent_today"
    """What the tenant spent today, in minor units of the currency that this call costs."""
    CALLS_LAST_MINUTE = "calls_last_minute"
    """How often the tenant called this tool in the last 60 seconds."""
    SAW_UNTRUSTED = "saw_untrusted"
    """Whether the run has read what somebody outside wrote."""
    SAW_PRIVATE = "saw_private"
    """Whether the run has read what must not leave the house."""
    GIVEN = "given"
    """Names of the arguments whose values stand word for word in the run's own input."""
    ALL_GIVEN = "all_given"
    """Whether every argument of the call is one of them, and there is one."""


class RuntimeType(StrEnum):
    """The types of these facts in a policy; `DATETIME` is one that no contract has."""

    DATETIME = "datetime"
    WHOLE = "whole"
    TRUTH = "truth"
    TEXTS = "texts"


RUNTIME_FACTS: Mapping[RuntimeFact, RuntimeType] = MappingProxyType(
    {
        RuntimeFact.NOW: RuntimeType.DATETIME,
        RuntimeFact.WEEKDAY: RuntimeType.WHOLE,
        RuntimeFact.SPENT_TODAY: RuntimeType.WHOLE,
        RuntimeFact.CALLS_LAST_MINUTE: RuntimeType.WHOLE,
        RuntimeFact.SAW_UNTRUSTED: RuntimeType.TRUTH,
        RuntimeFact.SAW_PRIVATE: RuntimeType.TRUTH,
        RuntimeFact.GIVEN: RuntimeType.TEXTS,
        RuntimeFact.ALL_GIVEN: RuntimeType.TRUTH,
    }
)
"""Every call has all of them."""


def reserved_facts(names: Iterable[str]) -> tuple[str, ...]:
    """Return those names that a contract's facts may not have, sorted."""
    taken = frozenset(RuntimeFact)
    return tuple(sorted(name for name in names if name in taken))
