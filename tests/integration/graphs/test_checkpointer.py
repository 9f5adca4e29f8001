"""A declared graph on Penstock's own checkpointer."""

from dataclasses import dataclass
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph

from penstock.checkpoints import Checkpointer
from penstock.graphs import declare, validate_input
from support.graphs import on_thread


@dataclass
class Note:
    """A type of a project's own."""

    text: str


class State(TypedDict):
    """A state that holds it."""

    text: str
    note: Note


def write(state: State) -> dict[str, Note]:
    """Keep the text as a note."""
    return {"note": Note(text=state["text"])}


async def test_a_graph_runs_on_its_checked_input_and_its_own_types_come_back(
    saver: Checkpointer,
) -> None:
    builder: Any = StateGraph(State)
    builder.add_node("write", write)
    found = builder.add_edge(START, "write").compile().with_config({"tags": ["found"]})
    graph = declare(found, name="it")
    compiled = graph.compile(saver)
    given: Any = validate_input(graph, {"text": "kept"})
    await compiled.ainvoke(given, on_thread("t"), durability="sync")
    state = await compiled.aget_state(on_thread("t"))
    assert state.values == {"text": "kept", "note": Note(text="kept")}
