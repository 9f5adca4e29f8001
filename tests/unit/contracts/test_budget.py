"""Budgets as values: their defaults, and the tighter of two."""

from dataclasses import replace

import pytest

from penstock.contracts.budget import AccountKind, Budget, Money, Price, Shortfall, Unit
from penstock.contracts.errors import OverBudget
from penstock.contracts.ids import AccountId
from penstock.contracts.policy import Spend
from penstock.contracts.signals import BudgetExhausted

USD = Money(micros=5, currency="USD")


def test_whoever_says_nothing_has_caps_on_what_has_no_currency() -> None:
    caps = Budget().caps
    assert (caps[Unit.TOKENS], caps[Unit.TOOL_CALLS]) == (20_000_000, 10_000)
    assert (caps[Unit.MONEY], caps[Unit.TOOL_SPEND]) == (None, None)


@pytest.mark.parametrize(
    "budget",
    [
        {"tokens": -1},
        {"money": Money(micros=-1, currency="USD")},
        {"tool_calls": -1},
        {"tool_spend": Spend(minor=-1, currency="EUR")},
    ],
)
def test_a_cap_below_zero_is_refused(budget: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="wanted is 0 or more"):
        replace(Budget(), **budget)


def test_the_tighter_of_two_is_taken_cap_by_cap() -> None:
    one = Budget(tokens=10, tool_calls=None, money=USD)
    other = Budget(tokens=20, tool_calls=3, money=Money(micros=2, currency="USD"))
    for tight in (one.tightened(other), other.tightened(one)):
        assert (tight.tokens, tight.tool_calls) == (10, 3)
        assert tight.money == Money(micros=2, currency="USD")
    assert Budget(tokens=0).tightened(Budget()).tokens == 0
    assert Budget(tokens=None).tightened(Budget(tokens=None)).tokens is None


def test_caps_in_two_currencies_have_no_tighter_one() -> None:
    with pytest.raises(ValueError, match="caps money in EUR, where USD is capped"):
        Budget(money=USD).tightened(Budget(money=Money(micros=1, currency="EUR")))


def test_a_run_names_no_prices() -> None:
    with pytest.raises(ValueError, match="name them where its graph is declared"):
        Budget().tightened(Budget(prices={"m": Price(input=1, output=1)}))  # pyright: ignore[reportArgumentType]  (numbers do)


def test_a_refusal_is_an_error_that_code_may_catch_and_the_end_of_a_run_is_not() -> None:
    short = Shortfall(
        account=AccountId("run:1"),
        kind=AccountKind.RUN,
        unit=Unit.MONEY,
        left=3,
        wanted=9,
        currency="USD",
        wanted_currency="USD",
    )
    error = OverBudget(short, "gpt")
    assert "`gpt` may take 0.000009 USD, and the budget of the run has 0.000003 left" in str(error)
    assert not isinstance(BudgetExhausted(error), Exception)
