"""What every engine promises: each queued run is driven, soon, and by one worker."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from penstock.checkpoints import Checkpointer, Store
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.graphs import Catalog, declare
from penstock.runs import Engine, LocalEngine, Pace, Runtime, Worker
from support.allowing import OPEN

ENGINES: dict[str, Callable[[], Engine]] = {"local": LocalEngine}
QUICK = Pace(beat_s=0.02, poll_s=0.02)
NEVER_S = 3600.0
"""A poll that does not come within a test: what is driven was told of."""


class State(TypedDict):
    thread: str


class House:
    """A store that several processes share, each with an engine and workers of its own."""

    def __init__(self, store: Store, make: Callable[[], Engine]) -> None:
        self.make = make
        self.ran: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self._store = store
        self._saver = Checkpointer(store)
        self._catalog = Catalog.of(declare(self._graph(), name="note"))

    def _graph(self) -> Any:
        async def note(state: State) -> State:
            self.ran.append(state["thread"])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(0.01)
            self.at_once -= 1
            if state["thread"] == "asks":
                interrupt("may I?")
            return state

        graph: Any = StateGraph(State)
        graph.add_node("note", note)
        graph.add_edge(START, "note")
        return graph

    def runtime(self, engine: Engine | None = None) -> Runtime:
        """Return the runtime of a process with this engine, or of one with no worker."""
        return Runtime(self._store, self._saver, self._catalog, engine=engine or self.make())

    async def start(self, runtime: Runtime, thread: str, **options: Any) -> Run:
        """Queue a run."""
        return await runtime.start("note", {"thread": thread}, actor="test", **options)

    @asynccontextmanager
    async def worker(self, engine: Engine, **changed: Any) -> AsyncGenerator[Worker]:
        """Have a worker work."""
        pace = replace(QUICK, **changed)
        worker = Worker(
            self._store, self._saver, self._catalog, engine=engine, pace=pace, policy=OPEN
        )
        working = asyncio.create_task(worker.work())
        yield worker
        worker.drain()
        await working


@pytest.fixture(params=sorted(ENGINES))
def house(request: pytest.FixtureRequest, store: Store) -> House:
    return House(store, ENGINES[request.param])


async def over(runtime: Runtime, *started: Run) -> list[Run]:
    """Wait until runs wait or have ended."""
    async with asyncio.timeout(30):
        return [await runtime.wait(run.id) for run in started]


async def test_every_queued_run_is_driven_once(house: House) -> None:
    engine = house.make()
    runtime = house.runtime(engine)
    before = [await house.start(runtime, f"before-{number}") for number in range(5)]
    async with house.worker(engine):
        after = [await house.start(runtime, f"after-{number}") for number in range(5)]
        ended = await over(runtime, *before, *after)
    assert {run.status for run in ended} == {RunStatus.SUCCEEDED}
    assert set(Counter(house.ran).values()) == {1}


async def test_what_is_queued_here_is_driven_without_a_poll(house: House) -> None:
    engine = house.make()
    runtime = house.runtime(engine)
    async with house.worker(engine, poll_s=NEVER_S):
        first = await house.start(runtime, "first")
        await over(runtime, first)
        await over(runtime, await house.start(runtime, "second"))
    assert house.ran == ["first", "second"]


async def test_a_decision_made_here_is_heard_without_a_poll(house: House) -> None:
    engine = house.make()
    runtime = house.runtime(engine)
    async with house.worker(engine, poll_s=NEVER_S):
        (run,) = await over(runtime, await house.start(runtime, "asks"))
        (gate,) = await runtime.gates(run.id)
        await runtime.decide(gate.id, "yes", by="bob")
        async with asyncio.timeout(30):
            while (await runtime.get(run.id)).status not in ENDED:  # noqa: ASYNC110  (the store tells)
                await asyncio.sleep(0.01)


async def test_what_another_process_queued_is_found(house: House) -> None:
    engine, elsewhere = house.make(), house.runtime()
    async with house.worker(engine):
        (run,) = await over(elsewhere, await house.start(elsewhere, "far"))
    assert run.status is RunStatus.SUCCEEDED


async def test_several_workers_share_the_runs_and_drive_none_twice(house: House) -> None:
    engines = [house.make() for _ in range(3)]
    runtime = house.runtime(engines[0])
    async with AsyncExitStack() as workers:
        for engine in engines:
            await workers.enter_async_context(house.worker(engine, slots=2))
        started = [await house.start(runtime, f"run-{number}") for number in range(30)]
        ended = await over(runtime, *started)
    assert {run.status for run in ended} == {RunStatus.SUCCEEDED}
    assert Counter(house.ran) == Counter(f"run-{number}" for number in range(30))


async def test_a_worker_drives_no_more_runs_at_once_than_it_has_slots(house: House) -> None:
    engine = house.make()
    runtime = house.runtime(engine)
    started = [await house.start(runtime, f"run-{number}") for number in range(12)]
    async with house.worker(engine, slots=3):
        await over(runtime, *started)
    assert house.most_at_once == 3


async def test_runs_of_one_thread_are_driven_one_after_another(house: House) -> None:
    engine = house.make()
    runtime = house.runtime(engine)
    started = [await house.start(runtime, f"{number}", thread_id="t") for number in range(5)]
    async with house.worker(engine):
        await over(runtime, *started)
    assert house.ran == ["0", "1", "2", "3", "4"]
    assert house.most_at_once == 1


async def test_a_worker_that_drains_takes_nothing_more(house: House) -> None:
    engine = house.make()
    runtime = house.runtime(engine)
    async with house.worker(engine) as worker:
        await over(runtime, await house.start(runtime, "first"))
        worker.drain()
        run = await house.start(runtime, "late")
    assert (await runtime.get(run.id)).status is RunStatus.QUEUED
    assert house.ran == ["first"]


async def test_waking_for_nothing_does_nothing(house: House) -> None:
    engine = house.make()
    runtime = house.runtime(engine)
    engine.wake()
    async with house.worker(engine):
        for _ in range(5):
            engine.wake()
        await over(runtime, await house.start(runtime, "once"))
    engine.wake()
    assert house.ran == ["once"]


async def test_a_thread_may_wake_it(house: House) -> None:
    engine, elsewhere = house.make(), house.runtime()
    async with house.worker(engine, poll_s=NEVER_S):
        run = await house.start(elsewhere, "far")
        await asyncio.to_thread(engine.wake)
        await over(elsewhere, run)
    assert house.ran == ["far"]
