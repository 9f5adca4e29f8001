"""The graphs that are driven: a chain of nodes, and conversations that grow by a message a step."""

import operator
import random
import string
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Annotated, Any, TypedDict, cast

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph

Saver = BaseCheckpointSaver[Any]
Graph = CompiledStateGraph[Any, Any, Any, Any]

CHAIN_LENGTH = 20
MESSAGE_BYTES = 400

BEATS: ContextVar[list[float] | None] = ContextVar("BEATS", default=None)
"""Where the nodes of a chain leave the instant at which they began, on `time.perf_counter`."""


class Counted(TypedDict):
    """A number that every node raises, and the names of the nodes that did."""

    count: int
    path: Annotated[list[str], operator.add]


class Chat(TypedDict):
    """A conversation that is kept whole in every version."""

    messages: Annotated[list[AnyMessage], add_messages]
    wanted: int


def _extend(state: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    return [*state, *(part for write in writes for part in write)]


class DeltaChat(TypedDict):
    """A conversation that LangGraph itself keeps as deltas (in beta)."""

    messages: Annotated[list[AnyMessage], DeltaChannel(_extend)]
    wanted: int


def chain(saver: Saver | None) -> Graph:
    """Return a graph of `CHAIN_LENGTH` nodes, one after the other."""
    graph: Any = StateGraph(Counted)
    before = START
    for number in range(CHAIN_LENGTH):
        name = f"n{number}"

        async def node(state: Counted, name: str = name) -> dict[str, Any]:
            beats = BEATS.get()
            if beats is not None:
                beats.append(time.perf_counter())
            return {"count": state["count"] + 1, "path": [name]}

        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return cast("Graph", graph.compile(checkpointer=saver))


def chat(
    saver: Saver | None,
    lines: Sequence[str],
    *,
    deltas: bool = False,
    heard: Callable[[int], None] | None = None,
) -> Graph:
    """Return a graph of one node that speaks until as many messages were said as are wanted.

    `deltas` takes LangGraph's `DeltaChannel` for the messages. `heard` is told, at the beginning
    of every step, how many messages there are.
    """
    graph: Any = StateGraph(DeltaChat if deltas else Chat)

    async def speak(state: Any) -> dict[str, Any]:
        number = len(state["messages"])
        if heard is not None:
            heard(number)
        return {"messages": [AIMessage(lines[number], id=str(number))]}

    def more(state: Any) -> str:
        return "speak" if len(state["messages"]) < state["wanted"] else END

    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    graph.add_conditional_edges("speak", more)
    return cast("Graph", graph.compile(checkpointer=saver))


async def drive(
    graph: Graph, given: dict[str, Any] | None, *, thread_id: str, is_stored: bool = True
) -> dict[str, Any]:
    """Run a graph on a thread to its end, every step durable before the next, where stored."""
    invoke: Any = cast("Any", graph).ainvoke
    # LangGraph warns of a durability without a checkpointer.
    how = {"durability": "sync"} if is_stored else {}
    return await invoke(given, on_thread(thread_id), **how)


def on_thread(thread_id: str) -> RunnableConfig:
    """Return the config that runs a graph on a thread."""
    return {"configurable": {"thread_id": thread_id}, "recursion_limit": 10_000}


def lines_of_text(count: int) -> Sequence[str]:
    """Return lines of `MESSAGE_BYTES`, of words nobody said before, the same on every call."""
    chance = random.Random(count)  # noqa: S311  (nothing secret; the same text in every run)

    def word() -> str:
        return "".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 10)))

    def line() -> str:
        words = " ".join(word() for _ in range(MESSAGE_BYTES // 3))
        return words[:MESSAGE_BYTES]

    return [line() for _ in range(count)]
