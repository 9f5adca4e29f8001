"""What is added up, in words: names of measures, and amounts as people read them, to the last."""

from decimal import Decimal

from penstock.contracts.budget import Unit
from penstock.contracts.policy import Spend
from penstock.contracts.spend import Measure
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
