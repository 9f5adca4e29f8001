"""Budgets in the store: what is held, what is spent, and what is refused, on both databases."""

from collections.abc import Callable

import pytest

from penstock.checkpoints import Store, budgets, ledger
from penstock.contracts.budget import Amounts, Budget, HoldKind, HoldStatus, Unit
from penstock.contracts.effect import DoubtAnswer
from penstock.contracts.errors import OverBudget
from penstock.contracts.ids import IdempotencyKey
from penstock.contracts.policy import Spend
from support.ledgers import DEFINITE, Book, new_effect
from support.runs import NOW, Runs
from support.spenders import (
    OPEN,
    Purse,
    dollars,
    own_account,
    race,
    shared_account,
    spend,
    spend_in_processes,
)

Purses = Callable[..., Purse]


@pytest.fixture
def purse(store: Store, runs: Runs) -> Purses:
    """Makes a run whose account, and whose tenant's account of a day, have these budgets."""

    def make(budget: Budget, day: Budget | None = None, *, thread_id: str = "t") -> Purse:
        fence = runs.start(thread_id)
        accounts = [own_account(fence.run_id, budget)]
        if day is not None:
            accounts.append(shared_account(day))
        return Purse(store, fence, accounts)

    return make


def tokens(count: int) -> Amounts:
    return Amounts(tokens=count)


def test_what_is_held_cannot_be_held_again(purse: Purses) -> None:
    held = purse(Budget(tokens=100))
    assert held.reserve("one", tokens(60))
    with pytest.raises(OverBudget, match=r"`tried` may take 41 tokens, and .* run has 40 left"):
        held.reserve("two", tokens(41))
    assert held.reserve("three", tokens(40))
    standing = held.standing()
    assert (standing.spent, standing.held, standing.left) == (0, 100, 0)


def test_a_refusal_says_what_is_left_and_what_was_wanted(purse: Purses) -> None:
    held = purse(Budget(tokens=100))
    with pytest.raises(OverBudget) as refused:
        held.reserve("one", tokens(101))
    short = refused.value.shortfall
    assert (short.unit, short.left, short.wanted) == (Unit.TOKENS, 100, 101)
    assert held.holds() == []


def test_a_cap_of_zero_is_zero(purse: Purses) -> None:
    held = purse(Budget(tokens=0, tool_calls=0))
    for worst in (tokens(1), Amounts(tool_calls=1)):
        with pytest.raises(OverBudget):
            held.reserve("one", worst)
    assert held.reserve("nothing", Amounts())


def test_without_a_cap_everything_fits_and_is_counted(purse: Purses) -> None:
    held = purse(OPEN)
    held.reserve("one", Amounts(tokens=10**12, money=dollars(10**12)))
    held.settle_whole("one")
    assert held.standing().spent == held.standing(Unit.MONEY).spent == 10**12


def test_what_was_not_used_is_given_back(purse: Purses) -> None:
    held = purse(Budget(tokens=100))
    held.reserve("one", tokens(100))
    assert held.settle("one", tokens(30))
    standing = held.standing()
    assert (standing.spent, standing.held, standing.left) == (30, 0, 70)


def test_what_used_more_than_was_held_is_recorded_and_all_else_refused(purse: Purses) -> None:
    held = purse(Budget(tokens=100))
    held.reserve("one", tokens(50))
    held.settle("one", tokens(130))
    assert (held.standing().spent, held.standing().left) == (130, -30)
    for worst in (tokens(1), Amounts(tool_calls=1)):
        with pytest.raises(OverBudget):
            held.reserve("two", worst)


def test_a_hold_is_taken_once_and_ends_once(purse: Purses) -> None:
    held = purse(Budget(tokens=100))
    assert held.reserve("one", tokens(60))
    assert not held.reserve("one", tokens(60))
    assert held.settle("one", tokens(20))
    assert not held.settle("one", tokens(20))
    assert not held.settle_whole("one")
    assert (held.standing().spent, held.standing().held) == (20, 0)


def test_all_accounts_hold_a_call_or_none(purse: Purses) -> None:
    held = purse(Budget(tokens=100), Budget(tokens=50))
    with pytest.raises(OverBudget, match=r"budget of the day has 50 left"):
        held.reserve("one", tokens(51))
    assert held.reserve("two", tokens(50))
    held.settle("two", tokens(10))
    assert [held.standing(number=number).spent for number in (0, 1)] == [10, 10]
    assert [held.standing(number=number).held for number in (0, 1)] == [0, 0]


def test_two_runs_share_what_a_day_has(purse: Purses) -> None:
    day = Budget(tokens=100)
    one, other = purse(OPEN, day), purse(OPEN, day, thread_id="u")
    one.reserve("one", tokens(70))
    with pytest.raises(OverBudget, match="30 left"):
        other.reserve("two", tokens(31))


def test_an_unknown_price_is_refused_only_where_money_is_capped(purse: Purses) -> None:
    unknown = Amounts(tokens=1, is_priced=False)
    assert purse(OPEN).reserve("one", unknown)
    with pytest.raises(OverBudget, match="`tried` has no known price"):
        purse(Budget(money=dollars(10**9)), thread_id="u").reserve("two", unknown)


def test_another_currency_than_that_of_the_cap_does_not_fit(purse: Purses) -> None:
    held = purse(Budget(tool_spend=Spend(minor=1000, currency="EUR")))
    with pytest.raises(OverBudget, match=r"caps tool_spend in EUR, and `tried` may take .* USD"):
        held.reserve("one", Amounts(tool_spend=Spend(minor=1, currency="USD")))
    assert held.reserve("two", Amounts(tool_spend=Spend(minor=1000, currency="EUR")))


def test_amounts_of_two_currencies_are_not_added_up(purse: Purses) -> None:
    held = purse(OPEN)
    for hold_id, currency in (("one", "EUR"), ("two", "USD")):
        held.reserve(hold_id, Amounts(tool_spend=Spend(minor=7, currency=currency)))
        held.settle_whole(hold_id)
    standing = held.standing(Unit.TOOL_SPEND)
    assert (standing.spent, standing.held, standing.currency) == (7, 0, "EUR")


def test_a_call_for_nothing_counts_as_a_call_and_costs_nothing(purse: Purses) -> None:
    held = purse(Budget())
    held.reserve("one", Amounts(tokens=5, money=dollars(5), tool_calls=1))
    held.settle_whole("one", happened=False)
    spent = [held.standing(unit).spent for unit in (Unit.TOKENS, Unit.MONEY, Unit.TOOL_CALLS)]
    assert spent == [0, 0, 1]


def test_a_model_call_of_a_lost_worker_counts_as_used(purse: Purses, runs: Runs) -> None:
    held = purse(Budget(tokens=100))
    held.reserve("one", tokens(60))
    again = runs.take_over(held.fence)
    assert held.take_over(held.fence) == 0
    assert held.take_over(again) == 1
    assert (held.standing().spent, held.standing().held) == (60, 0)
    assert not held.settle("one", tokens(5))
    assert held.take_over(again) == 0


def test_a_tool_call_of_a_lost_worker_stays_held(purse: Purses, runs: Runs) -> None:
    held = purse(Budget(tool_calls=1))
    held.reserve("one", Amounts(tool_calls=1), kind=HoldKind.TOOL)
    assert held.take_over(runs.take_over(held.fence)) == 0
    assert held.standing(Unit.TOOL_CALLS).held == 1


class Calls:
    """Tool calls that are begun in the ledger with what they hold, as a claim does it."""

    def __init__(self, purse: Purse) -> None:
        self.purse, self.book = purse, Book(purse.store.write_blocking)

    def begin(self, key: str = "call-1") -> None:
        new = new_effect(self.purse.fence, key)
        self.effect, is_begun = self.book.begin(new, self.purse.fence)
        assert is_begun
        spent = Amounts(tool_calls=1, tool_spend=Spend(minor=500, currency="EUR"))
        self.purse.reserve(key, spent, kind=HoldKind.TOOL)

    def stands(self) -> tuple[int, int, int]:
        spend_of, calls = self.purse.standing(Unit.TOOL_SPEND), self.purse.standing(Unit.TOOL_CALLS)
        return spend_of.spent, spend_of.held, calls.spent


@pytest.fixture
def calls(purse: Purses) -> Calls:
    return Calls(purse(Budget(tool_spend=Spend(minor=1000, currency="EUR"))))


def test_an_effect_that_succeeds_spends_what_it_held(calls: Calls) -> None:
    calls.begin()
    assert calls.stands() == (0, 500, 0)
    calls.book.succeed(calls.effect)
    assert calls.stands() == (500, 0, 1)


def test_an_effect_that_failed_spends_nothing_and_may_hold_again(calls: Calls) -> None:
    calls.begin()
    calls.book.fail(calls.effect, DEFINITE)
    assert calls.stands() == (0, 0, 1)
    calls.begin()
    assert calls.stands() == (0, 500, 1)


@pytest.mark.parametrize(
    ("answer", "spent"),
    [(DoubtAnswer.HAPPENED, 500), (DoubtAnswer.DID_NOT, 0), (DoubtAnswer.RETRY, 0)],
)
def test_an_effect_in_doubt_keeps_its_hold_until_somebody_knows(
    calls: Calls, answer: DoubtAnswer, spent: int
) -> None:
    calls.begin()
    calls.book.doubt(calls.effect, new_effect(calls.purse.fence))
    assert calls.stands() == (0, 500, 0)
    calls.book.answer(calls.effect, answer, "{}" if answer is DoubtAnswer.HAPPENED else None)
    assert calls.stands() == (spent, 0, 1)


def test_a_report_that_comes_twice_spends_once(calls: Calls) -> None:
    calls.begin()
    for _ in range(2):
        key, attempt = IdempotencyKey(calls.effect.key), calls.effect.attempt
        calls.purse.store.write_blocking(
            lambda tx, key=key, attempt=attempt: ledger.succeed(
                tx, key, attempt, "{}", at=NOW, actor="worker"
            )
        )
    assert calls.stands() == (500, 0, 1)


def test_holds_are_listed_with_what_came_of_them(purse: Purses) -> None:
    held = purse(Budget())
    held.reserve("one", Amounts(tokens=50, money=dollars(9)))
    (one,) = held.holds()
    assert (one.status, one.worst.tokens, one.used) == (HoldStatus.HELD, 50, None)
    held.settle("one", Amounts(tokens=20, money=dollars(4)))
    (one,) = held.holds()
    assert one.used == Amounts(tokens=20, money=dollars(4))


def test_days_are_listed_with_the_last_one_first(purse: Purses, store: Store) -> None:
    held = purse(OPEN, Budget(tokens=10))
    held.reserve("one", tokens(4))
    later = Purse(store, held.fence, [shared_account(Budget(tokens=10), "2026-01-03")])
    later.reserve("two", tokens(5))
    found = store.read_blocking(lambda tx: budgets.days(tx, "acme", limit=10))
    assert [each.balances[0].held for each in found] == [5, 4]
    assert store.read_blocking(lambda tx: budgets.days(tx, "other", limit=10)) == []


def test_eight_threads_do_not_overspend(database_url: str, purse: Purses) -> None:
    purses = [purse(OPEN, Budget(tokens=1000), thread_id=f"t{number}") for number in range(4)]
    fences = [each.fence for each in purses]
    refused: list[int] = []

    def spending(seed: int) -> Callable[[], None]:
        return lambda: refused.append(
            spend(database_url, fences, shared_tokens=1000, seed=seed, count=25)
        )

    race([spending(seed) for seed in range(8)])
    standing = purses[0].standing(number=1)
    assert 0 < standing.spent <= 1000
    assert standing.held == 0
    assert sum(refused) > 0
    assert _used(purses) == standing.spent


def test_three_processes_do_not_overspend(database_url: str, purse: Purses) -> None:
    purses = [purse(OPEN, Budget(tokens=1000), thread_id=f"t{number}") for number in range(3)]
    refused = spend_in_processes(
        database_url,
        [each.fence for each in purses],
        shared_tokens=1000,
        process_count=3,
        count=60,
    )
    standing = purses[0].standing(number=1)
    assert 0 < standing.spent <= 1000
    assert (standing.held, refused > 0) == (0, True)
    assert _used(purses) == standing.spent


def _used(purses: list[Purse]) -> int:
    return sum(each.used.tokens for purse in purses for each in purse.holds() if each.used)
