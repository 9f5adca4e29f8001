"""Accounts at hand for a test, and whoever reserves from them: threads and processes."""

import multiprocessing
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from penstock.checkpoints import Store, budgets
from penstock.contracts.budget import (
    Account,
    AccountKind,
    Amounts,
    Balance,
    Budget,
    Hold,
    HoldKind,
    Money,
    Unit,
    day_account,
    run_account,
)
from penstock.contracts.errors import OverBudget
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence

OPEN = Budget(tokens=None, tool_calls=None)
"""No caps at all."""


def dollars(micros: int) -> Money:
    """Return an amount in micros of a dollar."""
    return Money(micros=micros, currency="USD")


def own_account(run_id: RunId, budget: Budget) -> Account:
    """Return a run's account."""
    return Account(id=run_account(run_id), kind=AccountKind.RUN, tenant="acme", budget=budget)


def shared_account(budget: Budget, day: str = "2026-01-02") -> Account:
    """Return a tenant's account of a day."""
    return Account(id=day_account("acme", day), kind=AccountKind.DAY, tenant="acme", budget=budget)


@dataclass(frozen=True)
class Purse:
    """The accounts of one run, and what is done with them."""

    store: Store
    fence: Fence
    accounts: Sequence[Account]

    def reserve(
        self,
        hold_id: str,
        worst: Amounts,
        *,
        kind: HoldKind = HoldKind.MODEL,
        fence: Fence | None = None,
    ) -> bool:
        """Hold the worst case of a call."""
        return self.store.write_blocking(
            lambda tx: budgets.reserve(
                tx,
                hold_id,
                self.accounts,
                worst,
                fence=fence or self.fence,
                kind=kind,
                name="tried",
            )
        )

    def settle(self, hold_id: str, used: Amounts) -> bool:
        """Record what a call has used."""
        return self.store.write_blocking(lambda tx: budgets.settle(tx, hold_id, used))

    def settle_whole(self, hold_id: str, *, happened: bool = True) -> bool:
        """End a hold without knowing more."""
        return self.store.write_blocking(
            lambda tx: budgets.settle_whole(tx, hold_id, happened=happened)
        )

    def take_over(self, fence: Fence) -> int:
        """End what was left by older epochs."""
        return self.store.write_blocking(lambda tx: budgets.take_over(tx, fence))

    def standing(self, unit: Unit = Unit.TOKENS, *, number: int = 0) -> Balance:
        """Return how one of the accounts stands in a unit."""

        def look(tx: Connection) -> Balance:
            found = budgets.statement(tx, self.accounts[number].id)
            assert found is not None
            return next(each for each in found.balances if each.unit is unit)

        return self.store.read_blocking(look)

    def holds(self) -> Sequence[Hold]:
        """Return what the run's calls hold or have used."""
        return self.store.read_blocking(lambda tx: budgets.holds(tx, self.fence.run_id))


def spend(url: str, fences: Sequence[Fence], *, shared_tokens: int, seed: int, count: int) -> int:
    """Make calls of chance for some runs, on a store of its own; return how many were refused."""
    chance, refused = random.Random(seed), 0
    shared = shared_account(Budget(tokens=shared_tokens))
    with Store.open(url) as store:
        for number in range(count):
            fence = chance.choice(fences)
            own = own_account(fence.run_id, Budget(tokens=shared_tokens // 2))
            purse = Purse(store, fence, [own, shared])
            worst = chance.randint(1, 60)
            try:
                purse.reserve(f"{seed}-{number}", Amounts(tokens=worst, tool_calls=1))
            except OverBudget:
                refused += 1
                continue
            used = Amounts(tokens=chance.randint(0, worst), tool_calls=1)
            purse.settle(f"{seed}-{number}", used)
    return refused


def race(actors: Sequence[Callable[[], None]]) -> None:
    """Let all act at the same time, and raise what one of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(actors))

    def run(act: Callable[[], None]) -> None:
        try:
            start.wait()
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def spend_in_processes(
    url: str, fences: Sequence[Fence], *, shared_tokens: int, process_count: int, count: int
) -> int:
    """Let several processes make calls of chance; return how many were refused."""
    with multiprocessing.get_context("spawn").Pool(process_count) as pool:
        asked = [
            pool.apply_async(
                spend,
                (url, fences),
                {"shared_tokens": shared_tokens, "seed": seed, "count": count},
            )
            for seed in range(process_count)
        ]
        return sum(each.get(timeout=90) for each in asked)
