"""A worker in a process of its own, for `takeover`: `python -m bench.taking URL`.

It drives until it is killed. What it drives stays in its node for ever.
"""

import asyncio
import sys
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph

from bench.allowing import OPEN
from penstock.checkpoints import Checkpointer, Store
from penstock.graphs import Catalog, declare
from penstock.runs import Pace, Worker

PACE = Pace(beat_s=1.0, lease_s=5.0)


class Nothing(TypedDict, total=False):
    """A state without anything in it."""

    nothing: None


def catalog() -> Catalog:
    """Return the graph whose only node stays where it is."""

    async def stay(_: Nothing) -> Nothing:
        await asyncio.Event().wait()
        return {}

    graph: Any = StateGraph(Nothing)
    graph.add_node("stay", stay)
    graph.add_edge(START, "stay")
    return Catalog.of(declare(graph, name="stay"))


def main() -> None:
    """Work on the store that the command line names."""
    with Store.open(sys.argv[1]) as store:
        worker = Worker(store, Checkpointer(store), catalog(), pace=PACE, policy=OPEN)
        asyncio.run(worker.work())


if __name__ == "__main__":
    main()
