"""The tools of a graph that knows nothing of Penstock are recorded, recalled and asked about."""

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId
from langchain_core.tools import tool as langchain_tool
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.types import Command, interrupt

from penstock.checkpoints import Store
from penstock.contracts.effect import EffectStatus
from penstock.contracts.run import RunStatus
from penstock.graphs import declare
from penstock.graphs.tools import governed
from penstock.nodes import Tool, adopt
from support.shops import Shop


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    mood: str


def talking(*calls: tuple[str, dict[str, Any]], tools: list[Any], asks: bool = False) -> Any:
    """Return the builder of a graph that makes these calls, as anybody would write it."""
    message = AIMessage(
        "",
        tool_calls=[
            {"name": name, "args": arguments, "id": f"call-{number}"}
            for number, (name, arguments) in enumerate(calls)
        ],
    )

    def ask(_: Talk) -> dict[str, Any]:
        return {"mood": str(interrupt("go on?"))} if asks else {}

    graph: Any = StateGraph(Talk)
    graph.add_node("plan", lambda _: {"messages": [message]})
    graph.add_node("tools", ToolNode(tools))
    graph.add_node("ask", ask)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "tools")
    graph.add_edge("tools", "ask")
    return graph


def told(values: Any) -> list[str]:
    """Return what the tools said."""
    return [
        f"{message.status} {message.text}"
        for message in values["messages"]
        if isinstance(message, ToolMessage)
    ]


@langchain_tool
def search(query: str, mood: Annotated[str, InjectedState("mood")]) -> str:
    """Search."""
    return f"found {query} in a {mood} mood"


async def test_a_tool_without_a_contract_is_recorded_as_unsafe(store: Store) -> None:
    graph = talking(("search", {"query": "shoes"}), tools=[search])
    shop = Shop(store, declare(graph, name="desk"))
    run = await shop.run(given={"messages": [], "mood": "good"})
    assert told(await shop.values(run)) == ["success found shoes in a good mood"]
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert (effect.tool, effect.effect, effect.status) == (
        "search",
        "unsafe",
        EffectStatus.SUCCEEDED,
    )


async def test_a_contract_that_is_declared_for_it_is_the_one_it_has(store: Store) -> None:
    graph = talking(("search", {"query": "shoes"}), tools=[search])
    shop = Shop(store, declare(graph, name="desk", tools=[adopt(search, effect="read")]))
    run = await shop.run(given={"messages": [], "mood": "good"})
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert effect.effect == "read"


async def test_an_untyped_error_of_such_a_tool_asks_a_person(store: Store) -> None:
    @langchain_tool
    def pay(amount: int) -> str:
        """Pay."""
        raise ConnectionError(f"the answer about {amount} was lost")

    shop = Shop(store, declare(talking(("pay", {"amount": 5}), tools=[pay]), name="desk"))
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.WAITING
    (gate,) = await shop.runtime.gates(run.id)
    assert gate.kind == "in_doubt"


async def test_a_hand_off_is_recorded_and_done_again_from_the_record(store: Store) -> None:
    made: list[str] = []

    @langchain_tool
    def transfer(to: str, call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Hand off."""
        made.append(to)
        update = {"messages": [ToolMessage("handed off", tool_call_id=call_id)], "mood": to}
        return Command(update=update)

    graph = talking(("transfer", {"to": "sales"}), tools=[transfer])
    shop = Shop(store, declare(graph, name="desk"))
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    values = await shop.values(run)
    assert (told(values), values["mood"]) == (["success handed off"], "sales")
    assert made == ["sales"]


async def test_a_tool_that_asks_by_itself_goes_on_with_the_answer(store: Store) -> None:
    @langchain_tool
    def book(place: str) -> str:
        """Book."""
        return f"{place}: {interrupt('which day?')}"

    shop = Shop(store, declare(talking(("book", {"place": "inn"}), tools=[book]), name="desk"))
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.WAITING, run.failure
    (gate,) = await shop.runtime.gates(run.id)
    assert gate.kind == "question"
    await shop.runtime.decide(gate.id, "Monday", by="ann")
    run = await shop.go_on(run)
    assert told(await shop.values(run)) == ["success inn: Monday"]
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert (effect.status, effect.attempt) == (EffectStatus.SUCCEEDED, 2)


async def test_the_tools_of_a_subgraph_are_governed_too(store: Store) -> None:
    outer: Any = StateGraph(Talk)
    inner = talking(("search", {"query": "shoes"}), tools=[search]).compile()
    outer.add_node("inner", inner)
    outer.add_edge(START, "inner")
    shop = Shop(store, declare(outer, name="outer"))
    run = await shop.run(given={"messages": [], "mood": "good"})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert [each.tool for each in await shop.runtime.effects(run_id=run.id)] == ["search"]


def test_the_graph_that_was_declared_is_not_changed() -> None:
    compiled = talking(("search", {"query": "shoes"}), tools=[search]).compile()
    graph = declare(compiled, name="desk")
    ours = governed(compiled, graph.tools)
    assert ours is not compiled
    node: Any = compiled.nodes["tools"].bound
    assert node.tools_by_name == {"search": search}
    changed: Any = ours.nodes["tools"].bound
    assert isinstance(changed.tools_by_name["search"], Tool)
    assert changed.func.__self__ is changed


def test_a_graph_whose_tools_all_have_contracts_is_left_as_it_is() -> None:
    known = adopt(search, effect="read")
    compiled = talking(("search", {"query": "shoes"}), tools=[known]).compile()
    assert governed(compiled, {"search": known}) is compiled


async def test_two_tools_of_one_name_are_each_called_where_they_are(store: Store) -> None:
    def answering(word: str) -> Any:
        @langchain_tool("say")
        def say(to: str) -> str:
            """Say."""
            return f"{word} {to}"

        return say

    inner = talking(("say", {"to": "Ann"}), tools=[answering("hello")]).compile()
    outer = talking(("say", {"to": "Bob"}), tools=[answering("goodbye")])
    outer.add_node("inner", inner)
    outer.add_edge("tools", "inner")
    shop = Shop(store, declare(outer, name="outer"))
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert told(await shop.values(run)) == ["success goodbye Bob", "success hello Ann"]
