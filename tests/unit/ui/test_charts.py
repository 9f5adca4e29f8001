"""Amounts of a budget as people read them."""

import pytest

from penstock.contracts.budget import Balance, Unit
from penstock.ui.components.charts import amount


@pytest.mark.parametrize(
    ("unit", "currency", "number", "told"),
    [
        (Unit.TOKENS, None, 20_000_000, "20,000,000"),
        (Unit.STEPS, None, 7, "7"),
        (Unit.MONEY, "USD", 2_500_000, "2.50 USD"),
        (Unit.MONEY, "USD", 9_007_199_254_740_993_000_001, "9,007,199,254,740,993.000001 USD"),
        (Unit.TOOL_SPEND, "EUR", 48_900, "489.00 EUR"),
        (Unit.WALL_MS, None, 458, "458ms"),
        (Unit.WALL_MS, None, 86_400_000, "1d 0h"),
    ],
)
def test_an_amount_is_told_in_its_unit(
    unit: Unit, currency: str | None, number: int, told: str
) -> None:
    standing = Balance(unit=unit, cap=None, spent=number, held=0, currency=currency)
    assert amount(standing, number) == told
