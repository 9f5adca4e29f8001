"""Budgets against workers that are lost, late and doubled: no schedule spends more than there is.

Three runs share the account of a day. What their calls really use never exceeds what was reserved
for them; what is counted must be what was used, or more where nobody knows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, event

from penstock.checkpoints import budgets, runs
from penstock.checkpoints.database import Database
from penstock.checkpoints.schema import budget_holds
from penstock.contracts.budget import Amounts, Budget, HoldKind, HoldStatus, Unit
from penstock.contracts.errors import OverBudget
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Fence, RunStatus
from support.databases import migrated_sqlite
from support.ledgers import empty
from support.runs import NOW, Runs
from support.spenders import own_account, shared_account

OWN, SHARED = 100, 180
"""Tokens of each run, and of all three together, before anybody raises them."""
QUICK = settings(max_examples=150, stateful_step_count=30, derandomize=True, database=None)
LONG = settings(QUICK, max_examples=10_000, stateful_step_count=20, derandomize=False)
RUNS = range(3)


@dataclass
class Called:
    """A call that was made."""

    run: int
    epoch: int
    kind: HoldKind
    worst: int
    used: int
    """What it really uses; known to whoever made it."""
    settled: bool = False
    """Whether somebody has reported what it used."""


class BudgetMachine(RuleBasedStateMachine):
    """Workers that reserve, settle, die and come back too late, and people who raise caps."""

    database: ClassVar[Database]

    @initialize()
    def begin(self) -> None:
        """Start the runs."""
        with self.database.write() as connection:
            connection.execute(budget_holds.delete())
            empty(connection)
        starting = Runs(self)  # pyright: ignore[reportArgumentType]  (it writes, as a store does)
        self.fences = [starting.start(f"t{number}") for number in RUNS]
        self.calls: dict[str, Called] = {}
        self.own = [OWN] * len(RUNS)
        self.shared = SHARED

    def write_blocking(self, change: Callable[[Connection], Any]) -> Any:
        """Write, as a store does."""
        with self.database.write() as connection:
            return change(connection)

    def _accounts(self, number: int) -> list[Any]:
        own = own_account(self.fences[number].run_id, Budget(tokens=OWN))
        return [own, shared_account(Budget(tokens=SHARED))]

    @rule(
        number=st.sampled_from(RUNS),
        kind=st.sampled_from(HoldKind),
        worst=st.integers(0, 70),
        part=st.floats(0, 1),
    )
    def reserve(self, number: int, kind: HoldKind, worst: int, part: float) -> None:
        """Begin a call, if it fits."""
        hold_id = f"call-{len(self.calls)}"
        fence = self.fences[number]

        def change(tx: Connection) -> bool:
            return budgets.reserve(
                tx,
                hold_id,
                self._accounts(number),
                Amounts(tokens=worst),
                fence=fence,
                kind=kind,
                name="tried",
            )

        own_left, shared_left = self._left(number)
        try:
            assert self.write_blocking(change)
        except OverBudget:
            assert worst > min(own_left, shared_left), "refused what fits"
            return
        assert worst <= min(own_left, shared_left), "held what does not fit"
        self.calls[hold_id] = Called(
            run=number, epoch=fence.epoch, kind=kind, worst=worst, used=int(worst * part)
        )

    @rule(data=st.data(), times=st.integers(1, 2))
    def settle(self, data: st.DataObject, times: int) -> None:
        """Report what a call has used, however late and however often."""
        if not self.calls:
            return
        hold_id = data.draw(st.sampled_from(sorted(self.calls)))
        called = self.calls[hold_id]
        is_lost, used = self._is_lost(called), Amounts(tokens=called.used)
        told = [
            self.write_blocking(lambda tx: budgets.settle(tx, hold_id, used)) for _ in range(times)
        ]
        assert told == [not called.settled and not is_lost, *[False] * (times - 1)]
        if not is_lost:
            self.calls[hold_id] = replace(called, settled=True)

    @rule(data=st.data())
    def join(self, data: st.DataObject) -> None:
        """Begin a call again that is held still: nothing more is held for it."""
        held = [each for each, called in self.calls.items() if not called.settled]
        alive = [
            each
            for each in held
            if self.calls[each].epoch == self.fences[self.calls[each].run].epoch
        ]
        if not alive:
            return
        hold_id = data.draw(st.sampled_from(alive))
        called = self.calls[hold_id]
        assert not self.write_blocking(
            lambda tx: budgets.reserve(
                tx,
                hold_id,
                self._accounts(called.run),
                Amounts(tokens=called.worst),
                fence=self.fences[called.run],
                kind=called.kind,
                name="tried",
            )
        )

    @rule(number=st.sampled_from(RUNS))
    def lose(self, number: int) -> None:
        """Let another worker take a run over."""
        fence = self.fences[number]

        def change(tx: Connection) -> Fence:
            runs.move(tx, fence, RunStatus.QUEUED, at=NOW, actor="test")
            claimed = runs.claim(tx, fence.run_id, WorkerId("next"), lease_s=60, at=NOW)
            assert claimed is not None
            budgets.take_over(tx, claimed.fence)
            return claimed.fence

        self.fences[number] = self.write_blocking(change)

    @rule(number=st.sampled_from(RUNS), by=st.integers(1, 60), is_shared=st.booleans())
    def raise_cap(self, number: int, by: int, is_shared: bool) -> None:  # noqa: FBT001  (a rule's)
        """Raise the cap of a run, or of all, where its account is open."""
        account = self._accounts(number)[1 if is_shared else 0].id
        with self.database.read() as connection:
            if budgets.statement(connection, account) is None:
                return
        self.write_blocking(
            lambda tx: budgets.raise_cap(tx, account, Unit.TOKENS, by=by, at=NOW, actor="olga")
        )
        if is_shared:
            self.shared += by
        else:
            self.own[number] += by

    @invariant()
    def nothing_is_overspent(self) -> None:
        """What is spent and held is within the caps, and what the calls say."""
        with self.database.read() as connection:
            for number in RUNS:
                theirs = [each for each in self.calls.values() if each.run == number]
                self._stands(connection, self._accounts(number)[0].id, theirs, self.own[number])
            every = list(self.calls.values())
            shared = self._accounts(0)[1].id
            self._stands(connection, shared, every, self.shared)
            for number in RUNS:
                for hold in budgets.holds(connection, self.fences[number].run_id):
                    called = self.calls[hold.id]
                    is_held = hold.status is HoldStatus.HELD
                    assert is_held == (not called.settled and not self._is_lost(called))

    def _stands(self, connection: Connection, account: Any, calls: list[Called], cap: int) -> None:
        found = budgets.statement(connection, account)
        if found is None:
            assert calls == []
            return
        tokens = found.balance(Unit.TOKENS)
        assert tokens.cap == cap, "not raised by what was said"
        assert tokens.spent + tokens.held <= cap, "overspent"
        assert tokens.spent == sum(self._counted(each) for each in calls)
        assert tokens.held == sum(
            each.worst for each in calls if not each.settled and not self._is_lost(each)
        )

    def _counted(self, called: Called) -> int:
        if called.settled:
            return called.used
        return called.worst if self._is_lost(called) else 0

    def _is_lost(self, called: Called) -> bool:
        """Tell whether nobody can say any more what a call has used."""
        is_old = called.epoch < self.fences[called.run].epoch
        return called.kind is HoldKind.MODEL and is_old and not called.settled

    def _left(self, number: int) -> tuple[int, int]:
        def taken(calls: list[Called]) -> int:
            return sum(each.used if each.settled else each.worst for each in calls)

        every = list(self.calls.values())
        theirs = [each for each in every if each.run == number]
        return self.own[number] - taken(theirs), self.shared - taken(every)


def not_to_wait(driver: Any, _: object) -> None:
    """Have a connection not wait for the disk: no process dies here."""
    driver.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Any]:
    """The machine on a database of its own."""
    url = migrated_sqlite(tmp_path)
    database = Database(url)
    event.listen(database.engine, "connect", not_to_wait)
    yield type("Machine", (BudgetMachine,), {"database": database})
    database.close()


def test_no_schedule_overspends(machine: Any) -> None:
    run_state_machine_as_test(machine, settings=QUICK)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_none_of_ten_thousand_schedules_overspends(machine: Any) -> None:
    run_state_machine_as_test(machine, settings=LONG)
