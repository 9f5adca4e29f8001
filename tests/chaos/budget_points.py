"""Kill a process at each point of a run's way through a gate about its budget; let others finish.

A program: `budget_points.py URL FOLDER`. Each case is a point, and has a graph of its own name. Its
node makes two payments where its budget holds one, and asks a model where it holds none. Workers
die, and who raises a cap; then one worker brings every run to its end, and somebody raises what is
still asked. It prints the cases that held: each cap was raised once, and nothing is held or spent
that was not paid for.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypedDict

from penstock.checkpoints import Checkpointer, Store, audit, budgets, gates, ledger, runs
from penstock.contracts.budget import Budget, OnExhaustion, Unit, run_account
from penstock.contracts.gate import BudgetAnswer, Gate, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.graphs import Catalog, Graph
from penstock.nodes import tool
from penstock.runs import Pace, Runtime, Worker
from support import forks, moments
from support.allowing import OPEN
from support.models import Talker
from support.rounds import Log
from support.shops import chain_of

PACE = Pace(beat_s=0.1, lease_s=10.0, poll_s=0.02)
RESCUE = Pace(slots=16, beat_s=0.1, lease_s=5.0, poll_s=0.02)
DEADLINE_S = 60.0
"""What does not come to its point, or its end, in this time fails."""
CAPS = {Unit.TOOL_CALLS: 1, Unit.TOKENS: 50}
MORE = 100_000
"""By what each cap is raised."""


class State(TypedDict, total=False):
    said: str


class Who(Enum):
    """Who dies, and when."""

    ASKING = auto()
    """A worker that comes to what does not fit for the first time."""
    RAISING = auto()
    """Whoever raises the cap."""
    CLAIMING = auto()
    """A worker that comes to it once the cap was raised."""


@dataclass(frozen=True, slots=True)
class Case:
    """A point at which a process dies."""

    name: str
    meaning: str
    who: Who
    arm: Callable[[], None]


def is_new(held: bool) -> bool:  # noqa: FBT001  (what `budgets.reserve` returns)
    """Tell whether a call was held just now."""
    return held


def is_there(_: object) -> bool:
    """Tell that whatever was done was done."""
    return True


def is_of_model(gate: Gate) -> bool:
    """Tell whether a gate asks about a model."""
    return gate.cap is Unit.TOKENS


CASES = (
    Case(
        "reserve-open",
        "after a call was held, before that commits",
        Who.ASKING,
        lambda: moments.inside(budgets, "reserve", forks.kill_here, when=is_new),
    ),
    Case(
        "reserve-done",
        "after the hold of a call committed, before the tool ran",
        Who.ASKING,
        lambda: moments.committed(budgets, "reserve", forks.kill_here, when=is_new),
    ),
    Case(
        "ask-open",
        "after the gate was opened, before that commits",
        Who.ASKING,
        lambda: moments.inside(gates, "open_budget_gate", forks.kill_here, when=bool),
    ),
    Case(
        "ask-done",
        "after the opening of the gate committed, before the run is parked",
        Who.ASKING,
        lambda: moments.committed(gates, "open_budget_gate", forks.kill_here, when=bool),
    ),
    Case(
        "park-ahead",
        "in the transaction that parks the run, before it does",
        Who.ASKING,
        lambda: moments.before(runs, "park", forks.kill_here, when=bool),
    ),
    Case(
        "raise-ahead",
        "in the transaction of the answer, before the cap is raised",
        Who.RAISING,
        lambda: moments.before(budgets, "raise_cap", forks.kill_here, when=bool),
    ),
    Case(
        "raise-open",
        "after the cap was raised, before that commits",
        Who.RAISING,
        lambda: moments.inside(budgets, "raise_cap", forks.kill_here, when=is_there),
    ),
    Case(
        "wake-ahead",
        "after the cap was raised, before the run is woken in the same transaction",
        Who.RAISING,
        lambda: moments.before(runs, "wake", forks.kill_here, when=bool),
    ),
    Case(
        "raise-done",
        "after the raise committed, before any worker is told",
        Who.RAISING,
        lambda: moments.committed(budgets, "raise_cap", forks.kill_here, when=is_there),
    ),
    Case(
        "claim-open",
        "after the call was held that fits now, before that commits",
        Who.CLAIMING,
        lambda: moments.inside(budgets, "reserve", forks.kill_here, when=is_new),
    ),
    Case(
        "claim-done",
        "after the hold of the call that fits now committed, before the tool ran",
        Who.CLAIMING,
        lambda: moments.committed(budgets, "reserve", forks.kill_here, when=is_new),
    ),
    Case(
        "settle-open",
        "after what was held is spent, before that commits",
        Who.CLAIMING,
        lambda: moments.inside(ledger, "succeed", forks.kill_here, when=bool),
    ),
    Case(
        "model-open",
        "after the gate of a model's call was opened, before that commits",
        Who.CLAIMING,
        lambda: moments.inside(gates, "open_budget_gate", forks.kill_here, when=is_of_model),
    ),
)


def graph_of(case: Case, log: Log) -> Graph:
    """Return the graph of a case."""

    @tool(effect="idempotent", timeout_s=20.0, margin_s=0.2)
    async def pay(amount: int) -> str:
        """Pay somebody."""
        log.write(f"paid:{case.name}", amount)
        return "paid"

    async def act(_: State) -> State:
        await pay(amount=1)
        await pay(amount=2)
        return {"said": str((await Talker().ainvoke("hi")).content)}

    budget = Budget(
        tool_calls=CAPS[Unit.TOOL_CALLS],
        tokens=CAPS[Unit.TOKENS],
        on_exhaustion=OnExhaustion.GATE,
    )
    return chain_of(State, act, name=case.name, tools=[pay], budget=budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where it all takes place."""

    url: str
    log: Log

    def catalog(self, cases: Sequence[Case]) -> Catalog:
        """Return the graphs of some cases."""
        return Catalog.of(*(graph_of(case, self.log) for case in cases))

    def run_of(self, case: Case) -> RunId:
        """Return the run of a case."""
        ((run_id,),) = self.log.read(f"queued:{case.name}")
        return RunId(run_id)

    def begin(self, cases: Sequence[Case]) -> None:
        """Queue a run for each of some cases."""
        with Store.open(self.url) as store:
            runtime = Runtime(store, Checkpointer(store), self.catalog(cases))

            async def start() -> None:
                for case in cases:
                    run = await runtime.start(case.name, {}, actor="ann")
                    self.log.write(f"queued:{case.name}", run.id)

            asyncio.run(start())

    def work_until(self, cases: Sequence[Case], over: Callable[[Run], bool]) -> None:
        """Drive the runs of some cases until each is where it was to come to."""
        with Store.open(self.url) as store:
            saver, graphs = Checkpointer(store), self.catalog(cases)
            worker = Worker(store, saver, graphs, pace=RESCUE, policy=OPEN)
            runtime = Runtime(store, saver, graphs)

            async def work() -> None:
                working = asyncio.create_task(worker.work())
                async with asyncio.timeout(DEADLINE_S):
                    for case in cases:
                        while not over(await runtime.get(self.run_of(case))):  # noqa: ASYNC110  (the store tells)
                            await asyncio.sleep(0.02)
                worker.drain()
                await working

            asyncio.run(work())

    def worker(self, case: Case) -> None:
        """Drive the run of a case until this process dies."""
        case.arm()
        with Store.open(self.url) as store:
            graphs = self.catalog([case])
            worker = Worker(store, Checkpointer(store), graphs, pace=PACE, policy=OPEN)
            asyncio.run(within(worker.work()))

    def person(self, case: Case) -> None:
        """Raise a cap until this process dies."""
        with Store.open(self.url) as store:
            runtime = Runtime(store, Checkpointer(store), self.catalog([case]))

            async def act() -> None:
                (gate,) = await runtime.gates(self.run_of(case))
                case.arm()
                await raise_at(runtime, gate)

            asyncio.run(within(act()))

    def helper(self, cases: Sequence[Case]) -> None:
        """Raise whatever cap is asked about in some cases, until killed."""
        with Store.open(self.url) as store:
            runtime = Runtime(store, Checkpointer(store), self.catalog(cases))
            ours = {self.run_of(case) for case in cases}

            async def help_out() -> None:
                while True:
                    for gate in await runtime.open_gates(limit=1000):
                        if gate.run_id in ours:
                            await raise_at(runtime, gate)
                    await asyncio.sleep(0.05)

            asyncio.run(within(help_out(), 3 * DEADLINE_S))

    def examine(self) -> None:
        """Check each case."""
        failed: list[str] = []
        with Store.open(self.url) as store:
            for case in CASES:
                try:
                    self.check(store, case)
                except AssertionError as error:
                    failed.append(f"{case.name} ({case.meaning}): {error}")
        if failed:
            raise AssertionError("\n".join(failed))

    def check(self, store: Store, case: Case) -> None:
        """Make sure that each cap was raised once, and that what was used is what was counted."""
        run_id = self.run_of(case)
        run = store.read_blocking(lambda tx: runs.get(tx, run_id))
        assert run.status is RunStatus.SUCCEEDED, run
        paid = {int(amount) for (amount,) in self.log.read(f"paid:{case.name}")}
        assert paid == {1, 2}, f"paid was {paid}"
        found = store.read_blocking(lambda tx: gates.of_run(tx, run_id))
        assert sorted(str(gate.cap) for gate in found) == sorted(CAPS), found
        assert all(gate.status is GateStatus.DECIDED for gate in found), found
        account = store.read_blocking(lambda tx: budgets.statement(tx, run_account(run_id)))
        assert account is not None
        for unit, cap in CAPS.items():
            standing = account.balance(unit)
            assert standing.cap == cap + MORE, standing
            assert standing.held == 0, standing
        assert account.balance(Unit.TOOL_CALLS).spent == 2, account
        # More where a worker was taken for dead while its model answered: that counts at its worst.
        assert 42 <= account.balance(Unit.TOKENS).spent <= CAPS[Unit.TOKENS] + MORE, account
        told = store.read_blocking(lambda tx: audit.of_run(tx, run_id))
        raises = [event for event in told if event.action == "budget.raised"]
        assert [(event.actor, event.detail["by"]) for event in raises] == [("olga", MORE)] * 2


async def raise_at(runtime: Runtime, gate: Gate) -> None:
    """Raise the cap that a gate asks about."""
    answer: dict[str, Any] = {"type": BudgetAnswer.RAISE, "cap": gate.cap, "by": MORE}
    await runtime.decide(gate.id, answer, by="olga")


async def within(work: Awaitable[Any], limit_s: float = DEADLINE_S) -> None:
    """Do something within a time."""
    async with asyncio.timeout(limit_s):
        await work


def die_together(victims: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """Let victims come to their points."""
    started = [(name, forks.fork(work)) for name, work in victims]
    codes = {name: forks.ended(child) for name, child in started}
    wrong = {name: code for name, code in codes.items() if code != -signal.SIGKILL}
    if wrong:
        raise RuntimeError(f"victims that ended otherwise than by their kill: {wrong}")


def main(url: str, folder: Path) -> None:
    """Kill a process in each case, bring all runs to their ends, then look."""
    scene = Scene(url=url, log=Log(folder / "log"))

    def of(*who: Who) -> list[Case]:
        return [case for case in CASES if case.who in who]

    def die(act: Callable[[Case], None], cases: Sequence[Case]) -> None:
        die_together([(case.name, lambda case=case: act(case)) for case in cases])

    forks.run(lambda: scene.begin(CASES))
    die(scene.worker, of(Who.ASKING))
    forks.run(lambda: scene.work_until(CASES, lambda run: run.status is RunStatus.WAITING))
    die(scene.person, of(Who.RAISING))
    with forks.children() as fork:
        fork(lambda: scene.helper(of(Who.CLAIMING)))
        die(scene.worker, of(Who.CLAIMING))
        fork(lambda: scene.helper(of(Who.ASKING, Who.RAISING)))
        forks.run(lambda: scene.work_until(CASES, lambda run: run.status in ENDED))
    forks.run(scene.examine)
    for case in CASES:
        print(f"{case.name}: {case.meaning}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
