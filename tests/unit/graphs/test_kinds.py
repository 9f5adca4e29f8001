"""What the nodes of a graph are for."""

from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from penstock.contracts.errors import InvalidGraph
from penstock.contracts.step import StepKind
from penstock.graphs import declare


def build(**nodes: Any) -> Any:
    """Build a graph of nodes with these metadata, or with these actions."""
    builder: Any = StateGraph(MessagesState)
    for name, given in nodes.items():
        if isinstance(given, dict):
            builder.add_node(name, lambda _: {}, metadata=given)
        else:
            builder.add_node(name, given)
        builder.add_edge(START, name)
    return builder


def kinds(builder: Any) -> dict[str, StepKind]:
    return dict(declare(builder, name="it").kinds)


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word


def test_a_node_is_of_the_kind_it_says() -> None:
    said = {kind.value: {"kind": kind.value} for kind in StepKind}
    assert kinds(build(**said)) == {kind.value: kind for kind in StepKind}


def test_a_node_that_says_nothing_is_other() -> None:
    assert kinds(build(a={"owner": "us"}, b={})) == {"a": StepKind.OTHER, "b": StepKind.OTHER}


def test_a_tool_node_is_a_tool() -> None:
    assert kinds(build(tools=ToolNode([look_up]))) == {"tools": StepKind.TOOL}


def test_the_nodes_of_subgraphs_are_found_under_their_path() -> None:
    inner = build(search={"kind": "tool"}).compile()
    outer = build(research=build(inner=inner).compile())
    assert kinds(outer) == {
        "research": StepKind.OTHER,
        "research|inner": StepKind.OTHER,
        "research|inner|search": StepKind.TOOL,
    }


def test_an_unknown_kind_is_refused_with_the_node_and_the_kinds_there_are() -> None:
    with pytest.raises(InvalidGraph) as refused:
        kinds(build(a=build(b={"kind": "planning"}).compile()))
    assert str(refused.value) == (
        "Node `a|b` says in its metadata that its `kind` is 'planning'. Wanted is one of "
        "`plan`, `tool`, `verify`, `summarize`, `other`; or leave the key out."
    )


def test_a_kind_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidGraph, match=r"its `kind` is \['plan'\]"):
        kinds(build(a={"kind": ["plan"]}))
