"""What a run costs beyond its graph: driven by a worker, beside the same graph driven directly."""

import asyncio
import operator
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from bench.allowing import OPEN
from bench.spread import Spread, percentile, ratio, spread
from penstock.checkpoints import Checkpointer, Store, migrate
from penstock.contracts.run import RunStatus
from penstock.graphs import Catalog, declare
from penstock.runs import LocalEngine, Pace, Runtime, Worker

CHAIN_LENGTH = 6
PACE = Pace(slots=16)
POLL_S = 0.02


class Walked(TypedDict, total=False):
    """The nodes that ran."""

    path: Annotated[list[str], operator.add]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured."""

    rounds: int
    run_count: int
    """Runs driven at a time, `PACE.slots` of them at once."""
    decision_count: int
    idle_s: float
    """How long a worker is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round."""

    driven_rate: float
    """Runs a second by a worker, from the queue to their end."""
    direct_rate: float
    """The same graph on the same checkpointer, without runs."""
    memory_rate: float
    """The same graph on `InMemorySaver`."""
    decision_ms: Sequence[float]
    """From a decision until the node that waited for it has its answer."""
    idle_percent: float
    """Of one CPU, by a worker that finds nothing to do."""
    import_s: float
    """To import `penstock.graphs` in a fresh process."""


def plan(*, quick: bool) -> Plan:
    """Return what is measured."""
    if quick:
        return Plan(rounds=2, run_count=100, decision_count=20, idle_s=3)
    return Plan(rounds=5, run_count=300, decision_count=100, idle_s=10)


def measure(plan: Plan, folder: Path, *, done: Callable[[str], None]) -> "Runs":
    """Drive the same graph in turns, in databases below `folder`."""
    samples: list[Sample] = []
    for number in range(plan.rounds):
        place = folder / f"runs-{number}"
        place.mkdir()
        driven = asyncio.run(_driven(_url(place / "driven.db"), plan.run_count))
        direct = asyncio.run(_direct(_url(place / "direct.db"), plan.run_count))
        memory = asyncio.run(_walk(InMemorySaver(), plan.run_count))
        decisions = asyncio.run(_decisions(_url(place / "decided.db"), plan.decision_count))
        idle = asyncio.run(_idle(_url(place / "idle.db"), plan.idle_s))
        samples.append(
            Sample(
                driven_rate=plan.run_count / driven,
                direct_rate=plan.run_count / direct,
                memory_rate=plan.run_count / memory,
                decision_ms=[1e3 * seconds for seconds in decisions],
                idle_percent=1e2 * idle,
                import_s=_import(),
            ),
        )
        done(f"round {number + 1}")
    return Runs(samples)


class Runs:
    """What was measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of all rounds."""
        self.samples = samples

    def rate(self, value: Callable[[Sample], float]) -> Spread:
        """Return the spread of a number over the rounds."""
        return spread([value(one) for one in self.samples])

    def times(self, below: Callable[[Sample], float]) -> Spread:
        """Return how many times the rate of `below` the worker came to."""
        return ratio(
            [one.driven_rate for one in self.samples], [below(one) for one in self.samples]
        )

    def decision_ms(self, percent: int) -> Spread:
        """Return a percentile of the time from a decision to the node, over the rounds."""
        return spread([percentile(one.decision_ms, percent) for one in self.samples])


def _url(path: Path) -> str:
    url = f"sqlite:///{path}"
    migrate(url)
    return url


def _chain() -> Any:
    graph: Any = StateGraph(Walked)
    before = START
    for number in range(CHAIN_LENGTH):
        name = f"n{number}"

        async def node(_: Walked, name: str = name) -> Walked:
            return {"path": [name]}

        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


async def _driven(url: str, count: int) -> float:
    with Store.open(url) as store:
        saver = Checkpointer(store)
        catalog = Catalog.of(declare(_chain(), name="chain"))
        runtime = Runtime(store, saver, catalog)
        runs = [await runtime.start("chain", {}, actor="bench") for _ in range(count)]
        worker = Worker(store, saver, catalog, pace=PACE, policy=OPEN)
        began = time.perf_counter()
        working = asyncio.create_task(worker.work())
        ended = [await runtime.wait(run.id, poll_s=POLL_S) for run in runs]
        took = time.perf_counter() - began
        worker.drain()
        await working
        if any(run.status is not RunStatus.SUCCEEDED for run in ended):
            raise RuntimeError("a run did not succeed")
        return took


async def _idle(url: str, idle_s: float) -> float:
    """Return how much of one CPU a worker takes that waits for runs."""
    with Store.open(url) as store:
        saver = Checkpointer(store)
        worker = Worker(store, saver, Catalog.of(declare(_chain(), name="chain")), policy=OPEN)
        working = asyncio.create_task(worker.work())
        began = time.process_time()
        await asyncio.sleep(idle_s)
        took = time.process_time() - began
        worker.drain()
        await working
        return took / idle_s


def _import() -> float:
    """Return how long a fresh process takes to import what declares graphs."""
    program = (
        "import time; began = time.perf_counter(); import penstock.graphs;"
        " print(time.perf_counter() - began)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, text=True, stdout=PIPE)
    return float(done.stdout)


async def _direct(url: str, count: int) -> float:
    with Store.open(url) as store:
        return await _walk(Checkpointer(store), count)


async def _walk(saver: Any, count: int) -> float:
    graph: Any = _chain().compile(checkpointer=saver)
    free = asyncio.Semaphore(PACE.slots)

    async def one(number: int) -> None:
        async with free:
            config = {"configurable": {"thread_id": str(number)}}
            await graph.ainvoke({}, config, durability="sync")

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    return time.perf_counter() - began


async def _decisions(url: str, count: int) -> Sequence[float]:
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def ask(_: Walked) -> Walked:
        interrupt("go on?")
        await heard.put(time.perf_counter())
        return {"path": ["ask"]}

    graph: Any = StateGraph(Walked)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    with Store.open(url) as store:
        saver = Checkpointer(store)
        catalog = Catalog.of(declare(graph, name="ask"))
        engine = LocalEngine()
        worker = Worker(store, saver, catalog, engine=engine, pace=PACE, policy=OPEN)
        runtime = Runtime(store, saver, catalog, engine=engine)
        working = asyncio.create_task(worker.work())
        runs = [await runtime.start("ask", {}, actor="bench") for _ in range(count)]
        for run in runs:
            await runtime.wait(run.id)
        took = [await _decision(runtime, heard.get) for _ in runs]
        worker.drain()
        await working
        return took


async def _decision(runtime: Runtime, heard: Callable[[], Awaitable[float]]) -> float:
    (gate,) = await runtime.open_gates(limit=1)
    began = time.perf_counter()
    await runtime.decide(gate.id, "yes", by="bench")
    return await heard() - began
