"""A store, a runtime and workers for one graph."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.graph import START, StateGraph

from penstock.checkpoints import Checkpointer, Store
from penstock.contracts.budget import Budget
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import Catalog, Graph, declare
from penstock.policies import People
from penstock.runs import Approvals, LocalEngine, Pace, Runtime, Worker
from penstock.traces import Tracing
from support.allowing import OPEN

QUICK = Pace(beat_s=0.02, lease_s=5.0, poll_s=0.02)


def chain_of(
    state: type[Any], *nodes: Callable[..., Any], name: str = "chain", **options: Any
) -> Graph:
    """Declare a graph of nodes that run one after another."""
    graph: Any = StateGraph(state)
    before = START
    for node in nodes:
        graph.add_node(node.__name__, node)
        graph.add_edge(before, node.__name__)
        before = node.__name__
    return declare(graph, name=name, **options)


class Shop:
    """A store, a runtime and a worker for one graph."""

    def __init__(
        self,
        store: Store,
        graph: Graph,
        *,
        policy: Path = OPEN,
        people: People | None = None,
        day_budget: Budget | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.store = store
        self.graph = graph
        self.policy = policy
        self.people = people
        self.day_budget = day_budget
        self.tracing = tracing
        self.saver = Checkpointer(store)
        self.engine = LocalEngine()
        catalog = Catalog.of(graph)
        self.runtime = Runtime(store, self.saver, catalog, engine=self.engine, people=people)
        self.approvals = Approvals(store, catalog, engine=self.engine, people=people)

    @asynccontextmanager
    async def worker(self, pace: Pace = QUICK) -> AsyncGenerator[Worker]:
        """Have a worker work."""
        catalog = Catalog.of(self.graph)
        worker = Worker(
            self.store,
            self.saver,
            catalog,
            engine=self.engine,
            pace=pace,
            people=self.people,
            policy=self.policy,
            day_budget=self.day_budget,
            tracing=self.tracing,
        )
        working = asyncio.create_task(worker.work())
        yield worker
        worker.drain()
        await working

    async def run(self, pace: Pace = QUICK, given: Any = None) -> Run:
        """Run the graph until it waits or ends."""
        run = await self.runtime.start(self.graph.name, given or {}, actor="ann")
        async with self.worker(pace):
            return await self.runtime.wait(run.id)

    async def go_on(self, run: Run, pace: Pace = QUICK) -> Run:
        """Have a worker go on with a run until it waits again or ends."""
        async with self.worker(pace):
            return await self.until(run, *RunStatus)

    async def until(self, run: Run, *statuses: RunStatus) -> Run:
        """Wait until a run is in one of these states, and nobody has to do anything for it."""
        wanted = set(statuses) - {RunStatus.QUEUED, RunStatus.RUNNING}
        async with asyncio.timeout(100):
            while True:
                found = await self.runtime.get(run.id)
                if found.status in wanted:
                    return found
                await asyncio.sleep(0.01)

    async def values(self, run: Run) -> Any:
        """Return the state that a run has left."""
        return await self.runtime.result(run)
