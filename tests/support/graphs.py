"""Small LangGraph graphs that tests drive."""

import operator
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph

Graph = CompiledStateGraph[Any, Any, Any, Any]

LINE = "all work and no play makes a dull log; "


class Counted(TypedDict):
    """A number that every node raises, and the names of the nodes that did."""

    count: int
    path: Annotated[list[str], operator.add]


class Chat(TypedDict):
    """A conversation that grows by a message a step."""

    messages: Annotated[list[AnyMessage], add_messages]
    wanted: int


def _extend(state: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    return [*state, *(part for write in writes for part in write)]


class DeltaChat(TypedDict):
    """A conversation that LangGraph itself keeps as deltas."""

    said: Annotated[list[str], DeltaChannel(_extend, snapshot_frequency=5)]
    wanted: int


def on_thread(thread_id: str, **more: Any) -> RunnableConfig:
    """Return the config that runs a graph on a thread."""
    return {"configurable": {"thread_id": thread_id, **more}, "recursion_limit": 10_000}


def chain(saver: BaseCheckpointSaver[Any] | None, *, length: int) -> Graph:
    """Nodes one after the other."""
    graph = StateGraph(Counted)
    before = START
    for number in range(length):
        name = f"n{number}"

        async def node(state: Counted, name: str = name) -> dict[str, Any]:
            return {"count": state["count"] + 1, "path": [name]}

        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph.compile(checkpointer=saver)


def chat(saver: BaseCheckpointSaver[Any] | None, *, line: str = LINE * 10) -> Graph:
    """One node that speaks until the wanted number of messages was said."""
    graph = StateGraph(Chat)

    async def speak(state: Chat) -> dict[str, Any]:
        number = len(state["messages"])
        return {"messages": [AIMessage(f"{number}: {line}", id=str(number))]}

    def more(state: Chat) -> str:
        return "speak" if len(state["messages"]) < state["wanted"] else END

    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    graph.add_conditional_edges("speak", more)
    return graph.compile(checkpointer=saver)


def delta_chat(saver: BaseCheckpointSaver[Any] | None) -> Graph:
    """One node that speaks into a `DeltaChannel` until enough was said."""
    graph = StateGraph(DeltaChat)

    async def speak(state: DeltaChat) -> dict[str, Any]:
        return {"said": [f"{len(state['said'])}: {LINE}"]}

    def more(state: DeltaChat) -> str:
        return "speak" if len(state["said"]) < state["wanted"] else END

    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    graph.add_conditional_edges("speak", more)
    return graph.compile(checkpointer=saver)
