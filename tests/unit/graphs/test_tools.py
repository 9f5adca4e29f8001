"""The tools of a graph are found, and each has a contract."""

from typing import Any

import pytest
from langchain_core.tools import tool as plain
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from penstock.contracts.errors import InvalidGraph
from penstock.contracts.tool import EffectClass
from penstock.graphs import declare
from penstock.nodes import tool


@tool(effect="read")
async def look_up(word: str) -> str:
    """Look a word up."""
    return word


@tool
async def refund(order: str) -> str:
    """Pay back."""
    return order


@plain
def search(word: str) -> str:
    """Search."""
    return word


def build(*nodes: Any) -> Any:
    builder: Any = StateGraph(MessagesState)
    for number, node in enumerate(nodes):
        builder.add_node(f"n{number}", node)
        builder.add_edge(START, f"n{number}")
    return builder


def test_the_tools_of_tool_nodes_are_found_in_subgraphs_too() -> None:
    inner = build(ToolNode([refund])).compile()
    assert dict(declare(build(ToolNode([look_up]), inner), name="it").tools) == {
        "look_up": look_up,
        "refund": refund,
    }


def test_a_tool_that_nodes_call_themselves_is_named() -> None:
    graph = declare(build(lambda _: {}), name="it", tools=[refund])
    assert graph.tools["refund"] is refund


def test_a_tool_without_a_contract_has_the_worst() -> None:
    graph = declare(build(ToolNode([search])), name="it")
    assert graph.tools["search"].contract.effect is EffectClass.UNSAFE


def test_one_tool_in_two_places_is_one_tool() -> None:
    graph = declare(build(ToolNode([refund]), ToolNode([refund])), name="it", tools=[refund])
    assert list(graph.tools) == ["refund"]


@pytest.mark.parametrize("other", [tool(look_up.function, name="refund"), search])
def test_two_tools_of_one_name_are_refused(other: Any) -> None:
    namesake = other.model_copy(update={"name": "refund"})
    with pytest.raises(InvalidGraph, match="Two tools of the graph are named `refund`"):
        declare(build(ToolNode([refund]), ToolNode([namesake])), name="it")


def test_two_tools_without_contracts_may_share_a_name() -> None:
    graph = declare(build(ToolNode([search]), ToolNode([search.model_copy()])), name="it")
    assert list(graph.tools) == ["search"]
