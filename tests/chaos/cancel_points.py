"""Kill a worker at each point of a cancellation that meets a tool call, and let another finish.

A program: `cancel_points.py URL FOLDER`. Each case, a point and a class, has a graph of its own
name with one node that calls one tool, which has acted and does not return. When all victims are
dead, another worker takes care of their runs. Each must be cancelled, its call in doubt, and one
gate open that asks about it: nobody says that it did not happen. It prints the cases that held.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from sqlalchemy import update

from penstock.checkpoints import Checkpointer, Store, gates, ledger
from penstock.checkpoints.schema import runs
from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import RunStatus
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog, Graph
from penstock.nodes import tool
from penstock.nodes.calls.context import Halt
from penstock.runs import LocalEngine, Pace, Runtime, Worker
from support import forks, moments
from support.allowing import OPEN
from support.rounds import Log
from support.runs import NOW
from support.shops import chain_of

PACE = Pace(beat_s=0.1, lease_s=3600.0, poll_s=0.02)
"""No victim takes care of the run of another: it would die over that."""

DEADLINE_S = 60.0
"""What does not come to its point, or its end, in this time fails."""

UNSAFE, IDEMPOTENT = EffectClass.UNSAFE, EffectClass.IDEMPOTENT


class State(TypedDict, total=False):
    said: str


def any_of(_: object) -> bool:
    """Take whatever comes."""
    return True


def when_halted() -> None:
    """Die when the calls are to be told to stop."""

    def request(self: Halt, reason: str) -> None:
        del self, reason
        forks.kill_here()

    Halt.request = request


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place at which a worker dies."""

    name: str
    meaning: str
    arm: Callable[[], None]
    classes: Collection[EffectClass] = (UNSAFE, IDEMPOTENT)


POINTS = (
    Point(
        name="halt-ahead",
        meaning="after the worker saw the cancellation, before it stopped the call",
        arm=when_halted,
    ),
    Point(
        name="doubt-ahead",
        meaning="after the call was stopped, before it is in doubt",
        arm=lambda: moments.before(ledger, "doubt", forks.kill_here, when=bool),
        classes=(UNSAFE,),
    ),
    Point(
        name="doubt-open",
        meaning="after the call was put in doubt, before that commits",
        arm=lambda: moments.inside(ledger, "doubt", forks.kill_here, when=any_of),
        classes=(UNSAFE,),
    ),
    Point(
        name="doubt-done",
        meaning="after the call is in doubt, before its run is cancelled",
        arm=lambda: moments.committed(ledger, "doubt", forks.kill_here, when=any_of),
        classes=(UNSAFE,),
    ),
    Point(
        name="leave-ahead",
        meaning="after the run was cancelled, before what it leaves is in doubt",
        arm=lambda: moments.before(ledger, "doubt_unsettled", forks.kill_here, when=bool),
    ),
    Point(
        name="leave-open",
        meaning="after what a run leaves is in doubt, before that and its cancellation commit",
        arm=lambda: moments.inside(ledger, "doubt_unsettled", forks.kill_here, when=any_of),
    ),
    Point(
        name="leave-done",
        meaning="after the run is cancelled, before the worker noticed",
        arm=lambda: moments.committed(ledger, "doubt_unsettled", forks.kill_here, when=any_of),
    ),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A point and a class."""

    point: Point
    effect: EffectClass

    @property
    def name(self) -> str:
        """The name of its graph."""
        return f"{self.point.name}-{self.effect}"


CASES = [Case(point, effect) for point in POINTS for effect in point.classes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where it all takes place."""

    url: str
    log: Log

    def graph(self, case: Case, entered: asyncio.Event | None = None) -> Graph:
        """Return the graph of a case."""

        @tool(effect=case.effect, timeout_s=600.0)
        async def call() -> str:
            """Act, and do not return."""
            self.log.write("did", case.name)
            if entered is not None:
                entered.set()
            await asyncio.Event().wait()
            return "never"

        async def act(_: State) -> State:
            return {"said": await call()}

        return chain_of(State, act, name=case.name)

    def run_of(self, case: Case) -> RunId:
        """Return the run of a case."""
        ((run_id,),) = self.log.read(f"queued:{case.name}")
        return RunId(run_id)

    def begin(self) -> None:
        """Queue a run for each case."""
        with Store.open(self.url) as store:
            catalog = Catalog.of(*(self.graph(case) for case in CASES))
            runtime = Runtime(store, Checkpointer(store), catalog)

            async def start() -> None:
                for case in CASES:
                    run = await runtime.start(case.name, {}, actor="test")
                    self.log.write(f"queued:{case.name}", run.id)

            asyncio.run(start())

    def victim(self, case: Case) -> None:
        """Drive the run of a case, cancel it in the middle of its call, and die."""

        async def live() -> None:
            entered = asyncio.Event()
            catalog, engine = Catalog.of(self.graph(case, entered)), LocalEngine()
            saver = Checkpointer(store)
            runtime = Runtime(store, saver, catalog, engine=engine)
            worker = Worker(store, saver, catalog, engine=engine, pace=PACE, policy=OPEN)
            async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
                group.create_task(worker.work())
                await entered.wait()
                await runtime.cancel(self.run_of(case), by="ann")

        with Store.open(self.url) as store:
            case.point.arm()
            asyncio.run(live())

    def expire(self) -> None:
        """Let the leases of the dead run out."""
        with Store.open(self.url) as store:
            held = update(runs).where(runs.c.status == RunStatus.RUNNING)
            store.write_blocking(lambda tx: tx.execute(held.values(lease_expires_at=NOW)))

    def rescue(self) -> None:
        """Be a worker until each run is cancelled."""
        with Store.open(self.url) as store:
            saver, catalog = Checkpointer(store), Catalog.of(*(self.graph(case) for case in CASES))
            worker = Worker(store, saver, catalog, pace=PACE, policy=OPEN)
            runtime = Runtime(store, saver, catalog)

            async def over(case: Case) -> bool:
                return (await runtime.get(self.run_of(case))).status is RunStatus.CANCELLED

            async def work() -> None:
                working = asyncio.create_task(worker.work())
                async with asyncio.timeout(DEADLINE_S):
                    for case in CASES:
                        while not await over(case):  # noqa: ASYNC110  (the store tells)
                            await asyncio.sleep(0.02)
                worker.drain()
                await working

            asyncio.run(work())

    def examine(self) -> None:
        """Check each case."""
        did: Sequence[Any] = [name for (name,) in self.log.read("did")]
        with Store.open(self.url) as store:
            for case in CASES:
                run_id = self.run_of(case)
                (effect,) = store.read_blocking(
                    lambda tx, run_id=run_id: ledger.list_effects(tx, run_id=run_id, limit=9)
                )
                asked = store.read_blocking(lambda tx, run_id=run_id: gates.of_run(tx, run_id))
                found = (effect.status, [(gate.kind, gate.status) for gate in asked])
                wanted = (EffectStatus.IN_DOUBT, [(GateKind.IN_DOUBT, GateStatus.OPEN)])
                assert found == wanted, f"{case.name} ({case.point.meaning}): {found}"
                assert did.count(case.name) == 1, f"{case.name} was called again"


def main(url: str, folder: Path) -> None:
    """Kill a worker in each case, let another finish, then look."""
    scene = Scene(url=url, log=Log(folder / "log"))
    forks.run(scene.begin)
    started = {case.name: forks.fork(lambda case=case: scene.victim(case)) for case in CASES}
    codes = {name: forks.ended(child) for name, child in started.items()}
    wrong = {name: code for name, code in codes.items() if code != -signal.SIGKILL}
    if wrong:
        raise RuntimeError(f"victims that ended otherwise than by their kill: {wrong}")
    forks.run(scene.expire)
    forks.run(scene.rescue)
    forks.run(scene.examine)
    for case in CASES:
        print(f"{case.name}: {case.point.meaning}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
