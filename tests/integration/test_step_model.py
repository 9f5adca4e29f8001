"""Caps on steps against workers that are lost: no schedule takes a step more than there is."""

from collections.abc import Callable, Iterator
from datetime import timedelta
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

from penstock.checkpoints import budgets, runs, steps
from penstock.checkpoints.database import Database
from penstock.contracts.budget import Budget, Unit, run_account
from penstock.contracts.clock import SystemClock
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import RunStatus
from penstock.contracts.signals import BudgetExhausted
from penstock.contracts.step import Step, StepKind, StepStatus
from penstock.runs.segment import Segment, allowance_of
from support.databases import migrated_sqlite
from support.runs import NOW, Runs
from support.spenders import own_account

CAP = 6
QUICK = settings(max_examples=100, stateful_step_count=40, derandomize=True, database=None)


class StepMachine(RuleBasedStateMachine):
    """Workers that begin steps, end them, park, are lost, and whoever raises the cap."""

    database: ClassVar[Database]
    segment: Segment

    @initialize()
    def begin(self) -> None:
        """Start a run, and its first segment."""
        starting = Runs(self)  # pyright: ignore[reportArgumentType]  (it writes, as a store does)
        self.fence = starting.start("t")
        account = own_account(self.fence.run_id, Budget(steps=CAP))
        self.write_blocking(lambda tx: budgets.open_account(tx, account))
        self.cap, self.known = CAP, CAP
        self.over: list[tuple[str, int]] = []
        """Which tasks came to an end, and at which epoch."""
        self.succeeded: set[str] = set()
        self.running: set[str] = set()
        self.parked: set[str] = set()
        self.held: set[str] = set()
        """Tasks that count in this segment, whatever has become of them."""
        self.count, self.ms = 0, 0
        self._next_segment()

    def write_blocking(self, change: Callable[[Connection], Any]) -> Any:
        """Write, as a store does."""
        with self.database.write() as connection:
            return change(connection)

    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        """Have LangGraph tell of a task that begins: a new one, one that waits, or one again."""
        self.count += 1
        task = data.draw(
            st.sampled_from([f"task-{self.count}", *sorted(self.parked | self.succeeded)])
        )
        fits = task in self.held | self.succeeded or self._taken() < self.known
        try:
            self.segment.admit("tasks", {"id": task, "name": "act"})
        except BudgetExhausted:
            assert not fits, "refused what fits"
            return
        assert fits, "let a step begin that does not fit"
        if task not in self.succeeded:
            self.held.add(task)
            self.running.add(task)
            self.parked.discard(task)

    @rule(data=st.data(), how=st.sampled_from(StepStatus))
    def end(self, data: st.DataObject, how: StepStatus) -> None:
        """Have a task end."""
        if not self.running or how is StepStatus.STARTED:
            return
        task = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(task)
        step = Step(
            run_id=self.fence.run_id,
            epoch=self.fence.epoch,
            task_id=task,
            namespace="",
            node="act",
            kind=StepKind.OTHER,
            status=how,
            started_at=NOW,
            ended_at=NOW,
            error="no" if how is StepStatus.FAILED else None,
        )
        self.write_blocking(lambda tx: steps.record(tx, [step]))
        if how is StepStatus.PARKED:
            self.parked.add(task)
            return
        self.over.append((task, self.fence.epoch))
        if how is StepStatus.SUCCEEDED:
            self.succeeded.add(task)

    @rule(ms=st.integers(0, 5_000))
    def lose(self, ms: int) -> None:
        """Let another worker take the run over."""
        fence, until = self.fence, NOW + timedelta(milliseconds=ms)

        def change(tx: Connection) -> None:
            budgets.record_driven_time(tx, runs.get(tx, fence.run_id), until=until)
            runs.move(tx, fence, RunStatus.QUEUED, at=NOW, actor="test")
            claimed = runs.claim(tx, fence.run_id, WorkerId("next"), lease_s=60, at=NOW)
            assert claimed is not None
            self.fence = claimed.fence

        self.write_blocking(change)
        self.ms += ms
        self._next_segment()

    @rule(by=st.integers(1, 3))
    def raise_cap(self, by: int) -> None:
        """Raise the cap; a segment that is under way does not know."""
        account = run_account(self.fence.run_id)
        self.write_blocking(
            lambda tx: budgets.raise_cap(tx, account, Unit.STEPS, by=by, at=NOW, actor="olga")
        )
        self.cap += by

    @invariant()
    def no_step_is_taken_too_many(self) -> None:
        """What was executed is within the cap, and what the store says."""
        with self.database.read() as connection:
            found = budgets.statement(connection, run_account(self.fence.run_id))
        assert found is not None
        executed, time = found.balance(Unit.STEPS), found.balance(Unit.WALL_MS)
        assert (executed.spent, executed.cap) == (len(set(self.over)), self.cap)
        assert executed.spent <= self.cap
        assert time.spent == self.ms

    def _taken(self) -> int:
        return self.before + len(self.held)

    def _next_segment(self) -> None:
        with self.database.read() as connection:
            run = runs.get(connection, self.fence.run_id)
            allowance = allowance_of(connection, run)
        nowhere: Any = None
        self.segment = Segment(nowhere, SystemClock(), run, {}, allowance=allowance)
        self.known, self.before = self.cap, len(set(self.over))
        self.running.clear()
        self.held.clear()


def not_to_wait(driver: Any, _: object) -> None:
    """Have a connection not wait for the disk: no process dies here."""
    driver.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Any]:
    """The machine on a database of its own."""
    url = migrated_sqlite(tmp_path)
    database = Database(url)
    event.listen(database.engine, "connect", not_to_wait)
    yield type("Machine", (StepMachine,), {"database": database})
    database.close()


def test_no_schedule_takes_a_step_too_many(machine: Any) -> None:
    run_state_machine_as_test(machine, settings=QUICK)
