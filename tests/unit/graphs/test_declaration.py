"""Declaring a graph, and putting it on a checkpointer."""

from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from penstock.contracts.errors import InvalidGraph
from penstock.graphs import declare
from penstock.graphs.declaration import Graph
from support.graphs import on_thread


class Note(BaseModel):
    """A type of a project's own, in the state of its graph."""

    text: str


class State(TypedDict):
    """The state of the graphs here."""

    note: Note


def build() -> Any:
    """Build a graph of one node that keeps a value of the project's own type."""
    builder: Any = StateGraph(State)
    builder.add_node("write", lambda _: {"note": Note(text="kept")})
    return builder.add_edge(START, "write")


def kept(graph: Graph) -> object:
    """Run a graph, and read from its checkpoint what it kept."""
    compiled = graph.compile(InMemorySaver())
    compiled.invoke({}, on_thread("t"), durability="sync")
    return compiled.get_state(on_thread("t")).values["note"]


@pytest.mark.parametrize(
    "graph",
    [build(), build().compile(), build().compile().with_config({"recursion_limit": 9})],
)
def test_the_types_of_a_state_come_back_from_a_checkpoint(graph: Any) -> None:
    assert kept(declare(graph, name="it")) == Note(text="kept")


def test_compiling_changes_nothing_of_the_original() -> None:
    saver, original = InMemorySaver(), build().compile()
    graph = declare(original, name="it")
    compiled: Any = graph.compile(saver)
    compiled.nodes.clear()
    assert (original.checkpointer, original.name) == (None, "LangGraph")
    assert "write" in original.nodes
    assert compiled.checkpointer.storage is saver.storage


def test_compiling_settles_for_every_run_which_types_may_be_restored() -> None:
    compiled: Any = declare(build(), name="it").compile(InMemorySaver())
    assert compiled._apply_checkpointer_allowlist(compiled.checkpointer) is compiled.checkpointer


def test_compiling_keeps_what_the_original_was_compiled_with() -> None:
    store = InMemoryStore()
    original = build().compile(
        checkpointer=InMemorySaver(), interrupt_before=["write"], store=store, debug=True
    )
    compiled = declare(original.with_config({"tags": ["x"]}), name="it").compile(InMemorySaver())
    assert compiled.interrupt_before_nodes == ["write"]
    assert compiled.store is store
    assert compiled.debug is True
    assert (compiled.config or {}).get("tags") == ["x"]


def test_a_graph_without_a_name_takes_the_declared_one() -> None:
    assert declare(build(), name="it").compile(InMemorySaver()).name == "it"


def test_a_graph_keeps_the_name_it_was_compiled_with() -> None:
    graph = declare(build().compile(name="mine"), name="it")
    assert graph.compile(InMemorySaver()).name == "mine"


def test_a_builder_may_be_compiled_and_built_on_after_it_was_declared() -> None:
    builder = build().set_node_defaults(error_handler=lambda _: {})
    graph = declare(builder, name="it")
    builder.add_node("more", lambda _: {})
    assert "more" in builder.compile().nodes
    assert "more" not in graph.compiled.nodes


def test_a_compiled_graph_with_a_default_error_handler_is_put_on_a_checkpointer() -> None:
    original = build().set_node_defaults(error_handler=lambda _: {}).compile()
    assert kept(declare(original, name="it")) == Note(text="kept")


def test_a_graph_that_does_not_compile_is_refused_with_langgraphs_reason() -> None:
    with pytest.raises(InvalidGraph, match=r"does not compile graph `it`: .* entrypoint"):
        declare(StateGraph(State), name="it")


@pytest.mark.parametrize("name", ["", " ", "a\nb"])
def test_a_name_that_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(InvalidGraph, match="was declared with the name"):
        declare(build(), name=name)


def test_an_empty_version_is_refused() -> None:
    with pytest.raises(InvalidGraph, match="was declared with the version ''"):
        declare(build(), name="it", version="")
