"""A graph with parallel branches, growing values and a `DeltaChannel`, that tells what it did.

Each round is four nodes in three supersteps. What was run and what was acknowledged is written to
a file as it happens, so that it is known after the process was killed.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import StateSnapshot, interrupt

from penstock.checkpoints import Checkpointer, Store
from support.graphs import LINE, Graph, on_thread

BRANCHES = ("left", "right")


def _extend(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(part for write in writes for part in write)]


class Rounds(TypedDict):
    """What the graph works on."""

    round: int
    wanted: int
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[str], DeltaChannel(_extend, snapshot_frequency=3)]


@dataclass
class Log:
    """What happened, in a file that outlives its writers."""

    path: Path
    _descriptor: int = field(default=-1, init=False)

    def write(self, *words: object) -> None:
        """Add a line; it is in the file when this returns."""
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())

    def read(self, kind: str) -> list[list[str]]:
        """Return the lines of one kind."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [line.split()[1:] for line in lines if line.split()[0] == kind]


class TellingCheckpointer(Checkpointer):
    """Writes down each checkpoint that was acknowledged."""

    def __init__(self, store: Store, log: Log) -> None:
        super().__init__(store)
        self._log = log

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and write down that it was."""
        stored = await super().aput(config, checkpoint, metadata, new_versions)
        place = place_of(stored)
        self._log.write("stored", place["thread_id"], place["checkpoint_id"])
        return stored


def place_of(config: RunnableConfig) -> dict[str, Any]:
    """Return the thread and the checkpoint that a config names."""
    return config.get("configurable", {})


def ask(state: Rounds) -> None:
    """Wait to be told to go on."""
    if interrupt({"round": state["round"]}) != "go":
        raise ValueError("another answer than the one that was given")


def rounds(
    saver: Checkpointer | None,
    log: Log,
    *,
    when_run: Callable[[str, int], None] | None = None,
    hold: Callable[[str, int], Awaitable[None]] | None = None,
    asking: bool = False,
) -> Graph:
    """Return the graph; it writes down each node that it runs, and calls with name and round.

    With `hold`, each node waits for it as well. With `asking`, it interrupts in each round and goes
    on when it is told to.
    """

    async def ran(config: RunnableConfig, name: str, state: Rounds) -> None:
        log.write("ran", place_of(config)["thread_id"], name, state["round"])
        (when_run or _nothing)(name, state["round"])
        await (hold or _at_once)(name, state["round"])

    def message(state: Rounds, name: str) -> AIMessage:
        return AIMessage(f"{name} {LINE * 20}", id=f"{state['round']}-{name}")

    graph: Any = StateGraph(Rounds)

    async def plan(state: Rounds, config: RunnableConfig) -> dict[str, Any]:
        await ran(config, "plan", state)
        return {"messages": [message(state, "plan")]}

    def branch(name: str) -> Any:
        async def act(state: Rounds, config: RunnableConfig) -> dict[str, Any]:
            await ran(config, name, state)
            await asyncio.sleep(0)
            return {"notes": [f"{state['round']}-{name}"], "messages": [message(state, name)]}

        return act

    async def verify(state: Rounds, config: RunnableConfig) -> dict[str, Any]:
        await ran(config, "verify", state)
        if asking:
            ask(state)
        return {"round": state["round"] + 1}

    graph.add_node("plan", plan)
    graph.add_node("verify", verify)
    for name in BRANCHES:
        graph.add_node(name, branch(name))
        graph.add_edge("plan", name)
    graph.add_edge(list(BRANCHES), "verify")
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("verify", _more)
    return graph.compile(checkpointer=saver)


def _nothing(_: str, __: int) -> None:
    pass


async def _at_once(_: str, __: int) -> None:
    pass


def _more(state: Rounds) -> str:
    return "plan" if state["round"] < state["wanted"] else END


def beginning(wanted: int) -> Any:
    """Return the input of a thread that is to go through so many rounds."""
    return {"round": 0, "wanted": wanted, "messages": [], "notes": []}


def outcome(state: Any) -> tuple[Any, ...]:
    """Return what can be compared of a result."""
    return state["round"], [message.id for message in state["messages"]], state["notes"]


def expected(wanted: int) -> tuple[Any, ...]:
    """Return the outcome of so many rounds."""
    messages = [f"{n}-{name}" for n in range(wanted) for name in ("plan", *BRANCHES)]
    notes = [f"{n}-{name}" for n in range(wanted) for name in BRANCHES]
    return wanted, messages, notes


async def go_on(graph: Graph, config: RunnableConfig, *, wanted: int) -> Any:
    """Run a thread to its end, from wherever it stands."""
    state = await graph.aget_state(config)
    given = None if state.metadata else beginning(wanted)
    return await graph.ainvoke(given, config, durability="sync")


@contextmanager
def opened(url: str, log: Log) -> Generator[tuple[Graph, Store]]:
    """Open the store at `url` and give the graph on it."""
    with Store.open(url) as store:
        yield rounds(TellingCheckpointer(store, log), log), store


async def check_run(graph: Graph, thread_id: str, *, wanted: int) -> None:
    """Make sure that a thread's history is one line and its result right."""
    found = [state async for state in graph.aget_state_history(on_thread(thread_id))]
    check_line(thread_id, found)
    assert outcome(found[0].values) == expected(wanted), f"{thread_id}: a wrong result"


def check_line(thread_id: str, found: Sequence[StateSnapshot]) -> None:
    """Make sure that each checkpoint, newest first, has the next for its parent."""
    ids = [place_of(state.config)["checkpoint_id"] for state in found]
    parents = [
        None if state.parent_config is None else place_of(state.parent_config)["checkpoint_id"]
        for state in found
    ]
    assert not found or parents == [*ids[1:], None], f"{thread_id}: the history is forked"


async def check(graph: Graph, log: Log, thread_id: str, *, wanted: int) -> None:
    """Run a thread to its end and make sure that nothing was lost, repeated or forked."""
    found = [state async for state in graph.aget_state_history(on_thread(thread_id))]
    ids = [place_of(state.config)["checkpoint_id"] for state in found]
    stored = [checkpoint_id for thread, checkpoint_id in log.read("stored") if thread == thread_id]
    assert set(stored) <= set(ids), f"{thread_id}: acknowledged checkpoints are gone"
    check_line(thread_id, found)
    result = await go_on(graph, on_thread(thread_id), wanted=wanted)
    assert outcome(result) == expected(wanted), f"{thread_id}: a wrong result"


def executions(log: Log, thread_id: str) -> Counter[tuple[str, int]]:
    """Return how often each node of each round was run on a thread."""
    return Counter(
        (name, int(number)) for thread, name, number in log.read("ran") if thread == thread_id
    )


def repeated(log: Log, thread_id: str) -> int:
    """Return how many executions of a node on a thread were not the first."""
    times = executions(log, thread_id)
    return sum(times.values()) - len(times)
