"""What runs have used, added up: names of measures, amounts in words to the last digit, and CSV."""

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from penstock.contracts.budget import Unit
from penstock.contracts.clock import SystemClock
from penstock.contracts.policy import Spend
from penstock.contracts.spend import MEASURED, DailySpend, Measure
from penstock.policies.facts.money import spell
from penstock.ui import text

_MEASURE_NAMES = {
    Unit.TOKENS: "Tokens",
    Unit.MONEY: "Money for models",
    Unit.TOOL_CALLS: "Tool calls",
    Unit.TOOL_SPEND: "Spent by tools",
    Unit.WALL_MS: "Time at work",
}
_MICRO_PLACES = 6
_FORMULA_STARTS = tuple("=+-@\t\r")


def measure_name(measure: Measure) -> str:
    """Return what a measure is called."""
    called = _MEASURE_NAMES.get(measure.unit, str(measure.unit).replace("_", " ").capitalize())
    return called if measure.currency is None else f"{called}, {measure.currency}"


def amount_text(measure: Measure, amount: int) -> str:
    """Return an amount as people write it. Money is exact: no part of it is rounded away."""
    match measure.unit:
        case Unit.MONEY:
            return f"{money(amount)} {measure.currency or ''}".rstrip()
        case Unit.TOOL_SPEND if measure.currency:
            return spell(Spend(minor=amount, currency=measure.currency))
        case Unit.WALL_MS:
            return text.age(amount / 1000)
        case _:
            return f"{amount:,}"


def money(micros: int) -> str:
    """Return an amount in micros in units of its currency, with two places or as many as it has."""
    whole, _, rest = f"{Decimal(micros).scaleb(-_MICRO_PLACES):,f}".partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def first_day(day_count: int) -> date:
    """Return the first of so many days that end with today, by UTC."""
    return SystemClock().now().date() - timedelta(days=max(day_count, 1) - 1)


def measures_of(found: Sequence[DailySpend]) -> Sequence[Measure]:
    """Return in which measures something was used, in the order in which they are shown."""
    return sorted(
        {each.measure for each in found},
        key=lambda measure: (MEASURED.index(measure.unit), measure.currency or ""),
    )


def total(found: Sequence[DailySpend]) -> dict[Measure, int]:
    """Add up what was used, measure by measure."""
    sums: dict[Measure, int] = {}
    for each in found:
        sums[each.measure] = sums.get(each.measure, 0) + each.amount
    return sums


def as_csv(found: Sequence[DailySpend]) -> str:
    """Return what was used as CSV, in whole numbers: micros, minor units, milliseconds."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(["day_utc", "graph", "unit", "currency", "amount", "amount_as_written"])
    for each in found:
        # A spreadsheet would compute what begins like a formula.
        graph = f"'{each.graph}" if each.graph.startswith(_FORMULA_STARTS) else each.graph
        measure = each.measure
        lines.writerow(
            [
                each.day.isoformat(),
                graph,
                measure.unit,
                measure.currency or "",
                each.amount,
                amount_text(measure, each.amount),
            ]
        )
    return written.getvalue()
