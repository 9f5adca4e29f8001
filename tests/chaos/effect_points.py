"""Kill a process at each point of a tool call's life, for each class, and let others finish.

A program: `effect_points.py URL FOLDER all|few`. Each case, a point and a class, has a graph of its
own name with one node that calls one tool. What the tool does outside is written to a file, or to
a database of its own. When all victims are dead, one worker brings every run to its end, and
somebody answers what is asked: of a call in doubt, what the file says. It prints the cases that
held.
"""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from langgraph.types import interrupt
from sqlalchemy import Connection, Engine, create_engine, text

from penstock.checkpoints import Checkpointer, Store, gates, ledger, runs
from penstock.contracts.effect import EffectStatus
from penstock.contracts.errors import GateNotReady
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog, Graph
from penstock.nodes import DidNot, Happened, IdempotencyKey, Tool, tool
from penstock.runs import Pace, Runtime, Worker
from support import forks, moments
from support.allowing import OPEN
from support.moments import WatchedCheckpointer
from support.rounds import Log
from support.shops import chain_of
from support.stories import check_chain, check_story

PACE = Pace(beat_s=0.1, lease_s=10.0, poll_s=0.02)
RESCUE = Pace(slots=16, beat_s=0.1, lease_s=5.0, poll_s=0.02)
TIMEOUT_S, MARGIN_S = 2.0, 0.2
DEADLINE_S = 60.0
"""What does not come to its point, or its end, in this time fails."""
AT_ONCE = 10
"""Victims that live at the same time."""
RESULT = "done"

READ, IDEMPOTENT, KEYED = EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.KEYED
TRANSACTIONAL = EffectClass.TRANSACTIONAL
PROBE, UNSAFE = EffectClass.PROBE, EffectClass.UNSAFE
RECORDED = frozenset(EffectClass) - {READ}
"""Classes whose calls are recorded before anybody goes on."""
ASKED = frozenset({PROBE, UNSAFE})
"""Classes whose calls are in doubt when they were cut off."""


class State(TypedDict, total=False):
    said: str


@dataclass(slots=True)
class Trap:
    """What a victim's tool and checkpointer are made with."""

    at: str | None = None
    """Where in the node, the tool or the probe its process dies."""
    saver: dict[str, Any] = field(default_factory=dict[str, Any])

    def passed(self, place: str) -> None:
        """Die, if this is the place."""
        if self.at == place:
            forks.kill_here()


Arm = Callable[[Trap], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place at which a process dies, and what must be true of it."""

    name: str
    meaning: str
    arm: Arm
    classes: Collection[EffectClass] = frozenset(EffectClass)
    is_begun: bool = False
    """Whether the ledger knows that an attempt was begun, and not what came of it."""
    is_done: bool = False
    """Whether it has happened outside when the process dies."""
    loses: str | None = None
    """What the first attempt does with its answer: it loses it `before` or `after` it has acted."""
    by_person: bool = False
    """Whether it is a person's process that dies."""
    asks: bool = False
    """Whether the node asks something before it calls."""


def inside(place: str) -> Arm:
    """Die at a place in the node, the tool or its probe."""

    def arm(trap: Trap) -> None:
        trap.at = place

    return arm


def before_writes(trap: Trap) -> None:
    """Die before what the node returned is handed over."""

    def written(path: str, _: Sequence[str]) -> None:
        if path.endswith(", act"):
            forks.kill_here()

    trap.saver["before_writes"] = written


def is_begun(begun: tuple[Any, bool]) -> bool:
    """Tell whether an attempt was begun."""
    return begun[1]


POINTS = (
    Point(
        name="gate-decided",
        meaning="after a gate was decided, before the call is begun",
        arm=inside("answered"),
        asks=True,
    ),
    Point(
        name="begin-ahead",
        meaning="in the transaction that begins the call, before it does",
        arm=lambda _: moments.before(ledger, "begin", forks.kill_here, when=bool),
    ),
    Point(
        name="begin-open",
        meaning="after the call was begun, before that commits",
        arm=lambda _: moments.inside(ledger, "begin", forks.kill_here, when=is_begun),
    ),
    Point(
        name="begin-done",
        meaning="after the beginning of the call committed, before its tool runs",
        arm=lambda _: moments.committed(ledger, "begin", forks.kill_here, when=is_begun),
        classes=RECORDED,
        is_begun=True,
    ),
    Point(
        name="tool-ahead",
        meaning="in the tool, before it acts",
        arm=inside("entered"),
        is_begun=True,
    ),
    Point(
        name="tool-acted",
        meaning="in the tool, after it acted",
        arm=inside("acted"),
        is_begun=True,
        is_done=True,
    ),
    Point(
        name="settle-ahead",
        meaning="in the transaction that settles the call, before it does",
        arm=lambda _: moments.before(ledger, "succeed", forks.kill_here, when=bool),
        is_begun=True,
        is_done=True,
    ),
    Point(
        name="settle-open",
        meaning="after the call was settled, before that commits",
        arm=lambda _: moments.inside(ledger, "succeed", forks.kill_here, when=bool),
        is_begun=True,
        is_done=True,
    ),
    Point(
        name="settle-done",
        meaning="after the result committed, before its tool's caller was told",
        arm=lambda _: moments.committed(ledger, "succeed", forks.kill_here, when=bool),
        classes=RECORDED,
        is_done=True,
    ),
    Point(
        name="writes-ahead",
        meaning="after the node returned, before its writes and their checkpoint",
        arm=before_writes,
        is_done=True,
    ),
    # ---- a look-up ----
    Point(
        name="probe-acted",
        meaning="while a probe runs, of a call that happened",
        arm=inside("probing"),
        classes={PROBE},
        is_begun=True,
        is_done=True,
        loses="after",
    ),
    Point(
        name="probe-nothing",
        meaning="while a probe runs, of a call that did not happen",
        arm=inside("probing"),
        classes={PROBE},
        is_begun=True,
        loses="before",
    ),
    # ---- a person ----
    Point(
        name="decision-open",
        meaning="after the gate was decided, before the effect is what was said",
        arm=lambda _: moments.before(ledger, "resolve", forks.kill_here, when=bool),
        classes={UNSAFE},
        is_begun=True,
        is_done=True,
        loses="after",
        by_person=True,
    ),
    Point(
        name="decision-resolved",
        meaning="after the effect is what was said, before its run is woken",
        arm=lambda _: moments.before(runs, "wake", forks.kill_here, when=bool),
        classes={UNSAFE},
        is_begun=True,
        loses="before",
        by_person=True,
    ),
    Point(
        name="decision-done",
        meaning="after a decision committed, before whoever decided was told",
        arm=lambda _: moments.committed(gates, "decide", forks.kill_here, when=bool),
        classes={UNSAFE},
        is_begun=True,
        loses="before",
        by_person=True,
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


FEW = frozenset({"begin-done", "tool-acted", "settle-open", "probe-nothing", "decision-resolved"})


def cases_of(which: str) -> list[Case]:
    """Return all cases, or a few."""
    return [
        Case(point, effect)
        for point in POINTS
        for effect in sorted(point.classes)
        if which == "all" or (point.name in FEW and effect not in {READ, IDEMPOTENT})
    ]


# ---- the tools, and the world ----


@cache
def database(folder: Path) -> Engine:
    """Return the tools' own database."""
    return create_engine(f"sqlite:///{folder / 'orders.db'}")


def done(folder: Path, log: Log, case: Case) -> int:
    """Count what happened outside."""
    match case.effect:
        case EffectClass.TRANSACTIONAL:
            with sqlite3.connect(folder / "orders.db") as connection:
                counted = connection.execute(
                    "SELECT count(*) FROM orders WHERE id = ?", (case.name,)
                )
                return counted.fetchone()[0]
        case EffectClass.READ | EffectClass.IDEMPOTENT:
            return min(1, len(log.read(f"did:{case.name}")))
        case _:
            return len(log.read(f"did:{case.name}"))


@dataclass(frozen=True, slots=True)
class Tooling:
    """The tool of a case, as its function acts."""

    case: Case
    folder: Path
    log: Log
    trap: Trap

    def runs_first(self) -> bool:
        """Note that it runs, and tell whether it never did before."""
        self.log.write(f"ran:{self.case.name}")
        return len(self.log.read(f"ran:{self.case.name}")) == 1

    def act(self, key: str = "-") -> str:
        """Act outside, unless a service that is given a key has done it before."""
        loses = self.case.point.loses if self.runs_first() else None
        self.trap.passed("entered")
        if loses == "before":
            raise ConnectionError("the service was not reached, or was it?")
        place = f"did:{self.case.name}"
        if key == "-" or [key] not in self.log.read(place):
            self.log.write(place, key)
        self.trap.passed("acted")
        if loses == "after":
            raise ConnectionError("the answer was lost")
        return RESULT

    def insert(self, connection: Connection) -> str:
        """Act in a transaction."""
        self.trap.passed("entered")
        connection.execute(text("INSERT INTO orders VALUES (:id)"), {"id": self.case.name})
        self.trap.passed("acted")
        return RESULT

    async def look_up(self) -> Happened | DidNot:
        """Tell what the world says."""
        self.trap.passed("probing")
        return Happened(RESULT) if done(self.folder, self.log, self.case) else DidNot()


def tool_of(of: Tooling) -> Tool[str]:
    """Return the tool of a case."""
    terms: Any = {"timeout_s": TIMEOUT_S, "margin_s": MARGIN_S, "effect": of.case.effect}

    def order(connection: Connection) -> str:
        """Order."""
        return of.insert(connection)

    async def pay(key: IdempotencyKey) -> str:
        """Pay at a service that knows its calls by their keys."""
        return of.act(key)

    async def call() -> str:
        """Call."""
        return of.act()

    async def look_up() -> Happened | DidNot:
        return await of.look_up()

    match of.case.effect:
        case EffectClass.TRANSACTIONAL:
            return tool(order, database=lambda: database(of.folder), **terms)
        case EffectClass.KEYED:
            return tool(pay, **terms)
        case EffectClass.PROBE:
            return tool(call, probe=look_up, **terms)
        case _:
            return tool(call, **terms)


def graph_of(case: Case, folder: Path, log: Log, trap: Trap) -> Graph:
    """Return the graph of a case."""
    called = tool_of(Tooling(case, folder, log, trap))

    async def act(_: State) -> State:
        if case.point.asks:
            interrupt("may I?")
            trap.passed("answered")
        return {"said": await called.ainvoke({})}

    return chain_of(State, act, name=case.name)


# ---- the processes ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where it all takes place."""

    url: str
    folder: Path
    log: Log
    cases: Sequence[Case]

    def catalog(self, cases: Sequence[Case], trap: Trap | None = None) -> Catalog:
        """Return the graphs of some cases."""
        trap = trap or Trap()
        return Catalog.of(*(graph_of(case, self.folder, self.log, trap) for case in cases))

    def run_of(self, case: Case) -> RunId:
        """Return the run of a case."""
        ((run_id,),) = self.log.read(f"queued:{case.name}")
        return RunId(run_id)

    def begin(self) -> None:
        """Queue a run for each case."""
        with Store.open(self.url) as store:
            runtime = Runtime(store, Checkpointer(store), self.catalog(self.cases))

            async def start() -> None:
                for case in self.cases:
                    run = await runtime.start(case.name, {}, actor="test")
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

    def victim(self, case: Case) -> None:
        """Drive the run of a case, or answer its gate, until this process dies."""
        trap = Trap()
        if case.point.by_person:
            with Store.open(self.url) as store:
                runtime = Runtime(store, Checkpointer(store), self.catalog([case]))
                # Armed when the answer is taken: until then it is too early.
                asyncio.run(self.answer(runtime, case, lambda: case.point.arm(trap)))
            return
        case.point.arm(trap)
        with Store.open(self.url) as store:
            saver = WatchedCheckpointer(store, **trap.saver)
            worker = Worker(store, saver, self.catalog([case], trap), pace=PACE, policy=OPEN)

            async def live() -> None:
                async with asyncio.timeout(DEADLINE_S):
                    await worker.work()

            asyncio.run(live())

    async def answer(self, runtime: Runtime, case: Case, arm: Callable[[], None]) -> None:
        """Answer the gate of a case as soon as that is possible."""
        (gate,) = await runtime.gates(self.run_of(case))
        await asyncio.sleep(TIMEOUT_S + MARGIN_S)
        arm()
        await self.decide(runtime, gate, case)

    async def decide(self, runtime: Runtime, gate: Gate, case: Case) -> None:
        """Answer a gate: of a call in doubt, what really is."""
        answer: Any = "go"
        if gate.kind is GateKind.IN_DOUBT:
            has_happened = done(self.folder, self.log, case) > 0
            happened = {"answer": "happened", "result": RESULT}
            answer = happened if has_happened else {"answer": "retry"}
        await runtime.decide(gate.id, answer, by="bob")

    def helper(self) -> None:
        """Decide whatever is asked, except what a probe can find out, until killed."""
        with Store.open(self.url) as store:
            runtime = Runtime(store, Checkpointer(store), self.catalog(self.cases))
            by_run = {self.run_of(case): case for case in self.cases}

            async def help_out() -> None:
                async with asyncio.timeout(2 * DEADLINE_S):
                    while True:
                        for gate in await runtime.open_gates(limit=1000):
                            case = by_run[gate.run_id]
                            if case.effect is PROBE and gate.kind is GateKind.IN_DOUBT:
                                continue
                            try:
                                await self.decide(runtime, gate, case)
                            except GateNotReady:
                                continue
                        await asyncio.sleep(0.05)

            asyncio.run(help_out())

    def examine(self) -> None:
        """Check each case."""
        failed: list[str] = []
        with Store.open(self.url) as store:
            for case in self.cases:
                try:
                    self.check(store, case)
                except AssertionError as error:
                    failed.append(f"{case.name} ({case.point.meaning}): {error}")
        if failed:
            raise AssertionError("\n".join(failed))

    def check(self, store: Store, case: Case) -> None:
        """Make sure that it happened once, and that people were asked where nobody could know."""
        run_id, point = self.run_of(case), case.point
        check_story(store, run_id, RunStatus.SUCCEEDED, gate_count=None)
        check_chain(store, run_id)
        assert done(self.folder, self.log, case) == 1, "it did not happen once"
        (effect,) = store.read_blocking(lambda tx: ledger.list_effects(tx, run_id=run_id, limit=10))
        assert (effect.status, effect.result) == (EffectStatus.SUCCEEDED, f'"{RESULT}"'), effect
        asked = store.read_blocking(lambda tx: gates.of_run(tx, run_id))
        doubts = [gate for gate in asked if gate.kind is GateKind.IN_DOUBT]
        is_unknown = point.is_begun and case.effect in ASKED
        assert len(doubts) == int(is_unknown), doubts
        assert all(gate.status is GateStatus.DECIDED for gate in doubts), doubts
        is_person = [gate.decided_by == "bob" for gate in doubts]
        assert is_person == [case.effect is UNSAFE] * len(doubts), doubts
        repeats = point.is_begun and (case.effect not in ASKED or not point.is_done)
        wanted = 2 if repeats and case.effect is not READ else 1
        assert effect.attempt == wanted, f"attempt {effect.attempt}, not {wanted}"


def die_together(scene: Scene, cases: Sequence[Case]) -> None:
    """Let victims come to their points."""
    started = [(case, forks.fork(lambda case=case: scene.victim(case))) for case in cases]
    codes = {case.name: forks.ended(child) for case, child in started}
    wrong = {name: code for name, code in codes.items() if code != -signal.SIGKILL}
    if wrong:
        raise RuntimeError(f"victims that ended otherwise than by their kill: {wrong}")


def main(url: str, folder: Path, which: str) -> None:
    """Kill a process in each case, bring all runs to their ends, then look."""
    with sqlite3.connect(folder / "orders.db") as connection:
        connection.execute("CREATE TABLE orders (id TEXT)")
    scene = Scene(url=url, folder=folder, log=Log(folder / "log"), cases=cases_of(which))
    forks.run(scene.begin)
    by_person = [case for case in scene.cases if case.point.by_person]
    by_worker = [case for case in scene.cases if not case.point.by_person]
    forks.run(lambda: scene.work_until(by_person, lambda run: run.status is RunStatus.WAITING))
    die_together(scene, by_person)
    with forks.children() as fork:
        fork(scene.helper)
        for start in range(0, len(by_worker), AT_ONCE):
            die_together(scene, by_worker[start : start + AT_ONCE])
        forks.run(lambda: scene.work_until(scene.cases, lambda run: run.status in ENDED))
    forks.run(scene.examine)
    for case in scene.cases:
        print(f"{case.name}: {case.point.meaning}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
