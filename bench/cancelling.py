"""A worker in a process of its own, for `cancel`: `python -m bench.cancelling URL`.

It drives until it is killed. What it drives calls a tool that does not return by itself.
"""

import asyncio
import sys
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph

from bench.allowing import OPEN
from penstock.checkpoints import Checkpointer, Store
from penstock.graphs import Catalog, declare
from penstock.nodes import tool
from penstock.runs import Pace, Worker

PACE = Pace(beat_s=1.0, lease_s=5.0)

ENTERED = "wait_for_ever"
"""The tool that is under way."""


class Nothing(TypedDict, total=False):
    """A state without anything in it."""

    nothing: None


def catalog() -> Catalog:
    """Return the graph whose only node calls a tool that does not return."""

    @tool(name=ENTERED, effect="unsafe", timeout_s=600.0)
    async def wait_for_ever() -> str:
        """Wait."""
        await asyncio.Event().wait()
        return "never"

    async def call(_: Nothing) -> Nothing:
        await wait_for_ever()
        return {}

    graph: Any = StateGraph(Nothing)
    graph.add_node("call", call)
    graph.add_edge(START, "call")
    return Catalog.of(declare(graph, name="wait"))


def main() -> None:
    """Work on the store that the command line names."""
    with Store.open(sys.argv[1]) as store:
        worker = Worker(store, Checkpointer(store), catalog(), pace=PACE, policy=OPEN)
        asyncio.run(worker.work())


if __name__ == "__main__":
    main()
