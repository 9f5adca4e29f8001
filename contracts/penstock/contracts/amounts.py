"""Amounts of a budget as people write them: `2.50 USD`, `500000`."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from penstock.contracts.budget import MICROS, Budget, Money, Unit
from penstock.contracts.policy import Spend

_SCALES: Mapping[Unit, int] = {Unit.MONEY: MICROS, Unit.WALL_MS: 1000}
"""How many of what is counted make one of what people write; of the others, one."""


def read_amount(unit: Unit, text: str) -> int:
    """Return an amount of a unit that people write in currency, seconds, or plain numbers.

    Raises:
        ValueError: it is no amount, or finer than what is counted.
    """
    try:
        amount = Decimal(text.strip().replace("_", "")) * _SCALES.get(unit, 1)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise ValueError(f"`{text}` is no amount of {unit}; write a number such as 500 or 2.50")
    return int(amount)


def write_amount(unit: Unit, amount: int) -> str:
    """Write an amount as `read_amount` reads it."""
    return f"{(Decimal(amount) / _SCALES.get(unit, 1)).normalize():f}"


def read_budget(parts: Iterable[str]) -> Budget:
    """Return a budget with these caps and no others: `tokens=500000`, `money=2.50 USD`.

    Tool spend is in minor units (`tool_spend=150000 EUR`), `wall_s` in seconds.

    Raises:
        ValueError: there is no such cap, it is named twice, or the amount is none.
    """
    caps: dict[str, Any] = {}
    for part in parts:
        name, _, text = (each.strip() for each in part.partition("="))
        if name not in _READERS or name in caps:
            known = ", ".join(f"`{each}`" for each in _READERS)
            raise ValueError(f"`{part}` is no cap; write each of {known} once, as `tokens=500000`")
        caps[name] = _READERS[name](text)
    return Budget(
        tokens=caps.get("tokens"),
        money=caps.get("money"),
        tool_calls=caps.get("tool_calls"),
        tool_spend=caps.get("tool_spend"),
        steps=caps.get("steps"),
        wall_s=caps.get("wall_s"),
        gate_expires_s=None,
    )


def _whole(unit: Unit) -> Callable[[str], int]:
    return lambda text: read_amount(unit, text)


def _money(text: str) -> Money:
    amount, currency = _in_currency(text)
    return Money(micros=read_amount(Unit.MONEY, amount), currency=currency)


def _spend(text: str) -> Spend:
    amount, currency = _in_currency(text)
    return Spend(minor=read_amount(Unit.TOOL_SPEND, amount), currency=currency)


def _seconds(text: str) -> float:
    return read_amount(Unit.WALL_MS, text) / 1000


def _in_currency(text: str) -> tuple[str, str]:
    amount, _, currency = text.strip().partition(" ")
    if len(currency) != 3 or not (currency.isascii() and currency.isupper()):
        raise ValueError(f"`{text}` names no currency; write it as `2.50 USD`")
    return amount, currency


_READERS: Mapping[str, Callable[[str], Any]] = {
    "tokens": _whole(Unit.TOKENS),
    "money": _money,
    "tool_calls": _whole(Unit.TOOL_CALLS),
    "tool_spend": _spend,
    "steps": _whole(Unit.STEPS),
    "wall_s": _seconds,
}
