"""`penstock tools`: the contracts of a project, for people and for programs."""

import pytest

from support.command_line import CommandLine

TOOLS = '''
from langchain_core.tools import tool as plain
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from penstock.nodes import Cost, IdempotencyKey, minor_units, tool


@tool(
    effect="keyed",
    version="2.1",
    scopes={"payments:write"},
    tags={"money"},
    cost=Cost(amount_micros=250_000, currency="EUR"),
    key="refund:{order}",
    taints={"private"},
    facts={"cents": minor_units("amount", currency="EUR")},
)
async def refund(order: str, amount: str, key: IdempotencyKey) -> str:
    """Pay an order back."""
    return order


@plain
def search(word: str) -> str:
    """Search."""
    return word


def of(tools):
    return StateGraph(MessagesState).add_node("t", ToolNode(tools)).add_edge(START, "t").compile()


paying, searching, idle = of([refund]), of([search]), of([])
'''


@pytest.fixture
def desk(empty: CommandLine) -> CommandLine:
    empty.project.write("tooled.py", TOOLS)
    names = ("paying", "searching", "idle")
    empty.project.manifest({name: f"./tooled.py:{name}" for name in names})
    return empty


def test_tools_lists_those_of_every_graph_without_a_store(desk: CommandLine) -> None:
    lines = desk("tools").out.splitlines()
    assert lines[0].split() == [
        "tool", "graph", "version", "effect", "timeout", "isolation", "scopes", "and", "tags",
        "warnings",
    ]  # fmt: skip
    assert lines[1].split() == [
        "refund", "paying", "2.1", "keyed", "30s", "in_process", "payments:write,", "money",
    ]  # fmt: skip
    assert lines[2].split()[:4] == ["search", "searching", "1", "unsafe"]


def test_tools_lists_those_of_one_graph(desk: CommandLine) -> None:
    assert [each["name"] for each in desk.json("tools", "paying")["tools"]] == ["refund"]


def test_a_graph_without_tools_says_so(desk: CommandLine) -> None:
    assert desk("tools", "idle").out == "no tools\n"


def test_programs_get_whole_contracts(desk: CommandLine) -> None:
    refund, search = desk.json("tools")["tools"]
    assert (refund["graph"], refund["effect"], refund["scopes"]) == (
        "paying",
        "keyed",
        ["payments:write"],
    )
    assert refund["arguments_schema"]["properties"]["order"]["type"] == "string"
    assert refund["taints"] == ["private"]
    assert refund["facts"]["cents"] == {
        "type": "whole",
        "is_optional": False,
        "description": "minor units of EUR in amount",
    }
    assert refund["result_schema"] == {"type": "string"}
    assert (refund["key_lifetime_s"], refund["has_key"]) == (86400.0, True)
    assert search["retry"]["attempt_limit"] == 1


def test_one_tool_is_shown_whole(desk: CommandLine) -> None:
    shown = desk("tools", "paying", "refund").out
    for told in (
        "refund, version 2.1",
        "Pay an order back.",
        "0.25 EUR",
        '"order"',
        "business key",
        "private",
        "cents: minor units of EUR in amount",
    ):
        assert told in shown


def test_programs_get_one_tool(desk: CommandLine) -> None:
    told = desk.json("tools", "paying", "refund")
    assert (told["graph"], told["tool"]["name"]) == ("paying", "refund")


def test_an_unknown_tool_is_refused_with_those_there_are(desk: CommandLine) -> None:
    refused = desk("tools", "paying", "refud")
    assert refused.code == 3
    assert refused.err == (
        "error: [unknown_tool] Graph `paying` has no tool `refud`. Known are `refund`."
        " Did you mean `refund`?\nnext: penstock tools\n"
    )


def test_an_unknown_graph_is_refused(desk: CommandLine) -> None:
    assert "[unknown_graph]" in desk("tools", "payng").err


def test_a_contract_that_cannot_be_kept_is_told_with_its_place(desk: CommandLine) -> None:
    desk.project.write("tooled.py", TOOLS.replace(", key: IdempotencyKey", ""))
    refused = desk("tools", "--json")
    assert refused.code == 3
    assert "takes no `IdempotencyKey`" in refused.err
    assert "tooled.py, line" in refused.err
