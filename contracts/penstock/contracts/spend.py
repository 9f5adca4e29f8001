"""What runs have used, added up: in which measure, on which days, by which graphs."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from penstock.contracts.budget import Hold, Unit
from penstock.contracts.ids import GateId, RunId

MONEYS = (Unit.MONEY, Unit.TOOL_SPEND)
"""What is counted in a currency. Amounts in two currencies are never added."""

MEASURED = (Unit.TOKENS, Unit.MONEY, Unit.TOOL_SPEND, Unit.TOOL_CALLS, Unit.WALL_MS)
"""What is added up day by day."""

_CODE = re.compile(r"[A-Z]{3}")


class SpendBy(StrEnum):
    """What use is added up by."""

    DAY = "day"
    GRAPH = "graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A unit and, of money and tool spend, a currency: what can be added up."""

    unit: Unit
    currency: str | None = None

    def __str__(self) -> str:
        """Return its name in URLs: `tokens`, `money.USD`."""
        return self.unit if self.currency is None else f"{self.unit}.{self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendFilter:
    """Which of a tenant's runs' use, and since when."""

    tenant: str
    since: date
    """The first day, by UTC."""
    graph: str | None = None
    """None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailySpend:
    """What the runs of a graph have used on a day, in one measure."""

    day: date
    """By UTC. A call counts on the day on which it was over, time at work when a worker let go."""
    graph: str
    measure: Measure
    amount: int
    """Money in micros, tool spend in minor units, time in milliseconds. Above zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostlyRun:
    """A run, and what it has used itself."""

    run_id: RunId
    graph: str
    principal: str
    """For whom it acts."""
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CappedRun:
    """A run that came to a cap: it waits or waited at a gate, or has ended for it."""

    run_id: RunId
    graph: str
    at: datetime
    gate_id: GateId | None
    """Where people were asked; None where it ended as `budget_exhausted`."""
    unit: Unit | None
    """Of the cap, where people were asked."""
    explanation: str
    """What became of it: the status of the gate, or the message of the failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """What a call holds now."""

    hold: Hold
    graph: str
    at: datetime
    """Since when."""


def read_measure(text: str) -> Measure | None:
    """Return the measure that a URL names; None if it is none."""
    unit, _, currency = text.partition(".")
    if unit not in list(MEASURED) or bool(currency) != (Unit(unit) in MONEYS):
        return None
    if currency and not _CODE.fullmatch(currency):
        return None
    return Measure(unit=Unit(unit), currency=currency or None)
