"""What is relied on in LangGraph without its promise: where a new version differs shows here."""

from typing import Annotated, Any

import pytest
from langchain_core.tools import tool
from langgraph._internal import _constants, _serde
from langgraph.constants import START
from langgraph.graph import StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.prebuilt.tool_node import _get_all_injected_args
from langgraph.pregel import Pregel

from penstock.graphs.compiled import UNNAMED
from penstock.graphs.structure import ENTRY, SEPARATOR
from support.graphs import Counted, chain


def test_names_that_we_know_by_heart_are_langgraphs() -> None:
    assert (START, _constants.NS_SEP, Pregel.name) == (ENTRY, SEPARATOR, UNNAMED)


def test_a_copy_of_langgraphs_forgets_the_types_of_the_state() -> None:
    """If this fails, the reason for `compiled.on_checkpointer` to copy by itself is gone."""
    graph: Any = chain(None, length=1)
    assert graph._serde_allowlist is not None
    assert graph.copy()._serde_allowlist is None
    assert graph.with_config({"tags": []})._serde_allowlist is None


def test_a_builder_with_a_default_error_handler_is_compiled_only_once() -> None:
    """If this fails, compiling the builder again is a public way to another checkpointer."""
    builder: Any = chain(None, length=1).builder
    builder.set_node_defaults(error_handler=lambda _: {})
    builder.compile()
    with pytest.raises(ValueError, match="already exists"):
        builder.compile()


def test_the_types_of_a_state_are_listed_from_its_schemas() -> None:
    graph: Any = chain(None, length=1)
    listed = _serde.build_serde_allowlist(
        schemas=[*graph.builder.schemas], channels=graph.builder.channels
    )
    assert listed == graph._serde_allowlist


def test_a_builder_has_the_parts_that_a_fingerprint_is_made_of() -> None:
    builder: Any = StateGraph(Counted)
    builder.add_node("a", lambda _: {}, destinations=("b",), defer=True)
    builder.add_node("b", lambda _: {}, error_handler=lambda _: {})
    builder.add_edge(["a", "b"], "b").add_conditional_edges("a", lambda _: "b", {"yes": "b"})
    a, b = builder.nodes["a"], builder.nodes["b"]
    assert (a.ends, a.defer, b.error_handler_node) == (("b",), True, "__error_handler__b")
    assert builder.waiting_edges == {(("a", "b"), "b")}
    assert [branch.ends for branch in builder.branches["a"].values()] == [{"yes": "b"}]
    assert set(builder.schemas[builder.input_schema]) == {"count", "path"} == set(builder.channels)


def test_a_channel_says_whether_it_has_a_value_from_the_start() -> None:
    builder: Any = chain(None, length=1).builder
    channels = builder.channels
    assert channels["path"].is_available()
    assert channels["path"].operator is not None
    assert not channels["count"].is_available()


def test_a_tool_node_is_known_by_its_tools() -> None:
    assert ToolNode([]).tools_by_name == {}


def test_a_tool_node_keeps_its_tools_and_what_it_injects_in_dictionaries() -> None:
    @tool
    def look(word: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
        """Look."""
        return word + str(state)

    node: Any = ToolNode([look])
    assert node._tools_by_name == {"look": look}
    assert node._injected_args == {"look": _get_all_injected_args(look)}
    assert node.func == node._func
    assert node.afunc == node._afunc
