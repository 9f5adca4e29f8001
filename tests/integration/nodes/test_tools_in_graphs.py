"""A governed tool works wherever a LangChain tool does, and hands each call to its run."""

import asyncio
import operator
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, assert_type

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime
from langgraph.types import Interrupt, RetryPolicy, Send
from typing_extensions import TypedDict

from penstock.contracts.call import Failed, MessageCall, NodeCall, Refused, Stage
from penstock.contracts.errors import OutsideRun, ToolFailed
from penstock.contracts.signals import LeaseLost
from penstock.nodes import IdempotencyKey, SecretRef, tool
from support.calls import DirectCalls


@dataclass
class Receipt:
    order: str
    cents: int


@tool(effect="keyed")
async def refund(order: str, cents: int, key: IdempotencyKey) -> Receipt:
    """Pay an order back."""
    assert key == "k1"
    return Receipt(order, cents)


@tool
def shout(word: str) -> str:
    """Shout a word."""
    return word.upper()


def call(id: str, name: str, **args: Any) -> Any:
    return {"name": name, "args": args, "id": id, "type": "tool_call"}


def asking(*calls: Any, id: str = "m1") -> AIMessage:
    return AIMessage("", id=id, tool_calls=list(calls))


def tool_graph(node: Any, state: Any = MessagesState, name: str = "tools") -> Any:
    return StateGraph(state).add_node(name, node).add_edge(START, name).compile()


async def answers(node: Any, *calls: Any, outcome: Any = None) -> tuple[list[Any], DirectCalls]:
    run = DirectCalls(outcome)
    state = await tool_graph(node).ainvoke({"messages": [asking(*calls)]}, run.config)
    return state["messages"][1:], run


async def in_node(
    body: Callable[[], Awaitable[Any]], **options: Any
) -> tuple[list[Any], DirectCalls]:
    """Run code in a node of a graph, and return what it came to and the calls it made."""
    got: list[Any] = []

    async def node(state: MessagesState) -> MessagesState:
        got.append(await body())
        return state

    run = DirectCalls()
    graph = StateGraph(MessagesState).add_node("n", node, **options).add_edge(START, "n").compile()
    await graph.ainvoke({"messages": []}, run.config)
    return got, run


async def test_a_tool_node_gets_a_message_with_the_typed_value() -> None:
    (answer,), run = await answers(ToolNode([refund]), call("c1", "refund", order="A1", cents=5))
    assert isinstance(answer, ToolMessage)
    assert answer.content == '{"order":"A1","cents":5}'
    assert (answer.artifact, answer.tool_call_id) == (Receipt("A1", 5), "c1")
    assert run.calls[0].arguments == {"order": "A1", "cents": 5}


async def test_a_call_in_a_tool_node_is_known_by_its_message_and_place() -> None:
    asked = [call("c", "shout", word="a"), call("c", "shout", word="b")]
    _, run = await answers(ToolNode([shout]), *asked)
    assert run.origins == [
        MessageCall(message_id="m1", position=at, provider_id="c") for at in (0, 1)
    ]


@pytest.mark.parametrize("inlined", [True, False])
async def test_a_call_that_was_sent_alone_is_known_by_its_message_and_place(
    *, inlined: bool
) -> None:
    def fan_out(state: MessagesState) -> list[Send]:
        calls = getattr(state["messages"][-1], "tool_calls")  # noqa: B009  (an AI message)
        return [
            Send(
                "tools",
                {"__type": "tool_call_with_context", "tool_call": each, "state": state}
                if inlined
                else [each],
            )
            for each in calls
        ]

    builder: Any = StateGraph(MessagesState).add_node("tools", ToolNode([shout]))
    graph = builder.add_conditional_edges(START, fan_out, ["tools"]).compile()
    run = DirectCalls()
    asked = [call("c1", "shout", word="a"), call("c2", "shout", word="b")]
    await graph.ainvoke({"messages": [asking(*asked)]}, run.config)
    assert {(each.message_id, each.position) for each in run.origins} == {("m1", 0), ("m1", 1)}  # pyright: ignore[reportAttributeAccessIssue]  (messages' calls)


async def test_a_channel_of_another_name_will_do() -> None:
    class Chat(TypedDict):
        chat: Annotated[list[AnyMessage], operator.add]

    graph = tool_graph(ToolNode([shout], messages_key="chat"), Chat)
    run = DirectCalls()
    await graph.ainvoke({"chat": [asking(call("c1", "shout", word="a"))]}, run.config)
    assert run.origins == [MessageCall(message_id="m1", position=0, provider_id="c1")]


async def test_like_calls_that_nothing_tells_apart_are_numbered_within_the_task() -> None:
    _, run = await answers(ToolNode([shout]), *[call("c", "shout", word="a")] * 2)
    first, second = run.origins
    assert isinstance(first, NodeCall)
    assert isinstance(second, NodeCall)
    assert (first.index, second.index, first.provider_id) == (0, 1, "c")
    assert first.task_id == second.task_id


async def test_what_was_refused_is_a_message_with_its_code() -> None:
    refused = Refused(stage=Stage.GATE, code="rejected", message="No.")
    (answer,), _ = await answers(ToolNode([shout]), call("c", "shout", word="a"), outcome=refused)
    assert answer.status == "error"
    assert '"code":"rejected"' in answer.content


async def test_arguments_that_do_not_fit_are_refused_by_the_run_and_not_by_langchain() -> None:
    (answer,), run = await answers(ToolNode([shout]), call("c1", "shout", wort="a"))
    assert '"code":"invalid_arguments"' in answer.content
    assert run.calls[0].arguments == {"wort": "a"}


async def test_a_contract_may_have_failures_raised() -> None:
    loud = tool(shout.function, name="loud", on_failure="raise")
    failed = Failed(code="down", message="It is down.", retryable=False)
    with pytest.raises(ToolFailed, match="It is down"):
        await answers(ToolNode([loud]), call("c1", "loud", word="a"), outcome=failed)


async def test_code_in_a_node_gets_the_typed_value() -> None:
    async def body() -> Receipt:
        assert_type(await shout(word="a"), str)
        return assert_type(await refund(order="A1", cents=5), Receipt)

    assert (await in_node(body))[0] == [Receipt("A1", 5)]


async def test_code_in_a_node_may_use_ainvoke() -> None:
    got, _ = await in_node(lambda: refund.ainvoke({"order": "A1", "cents": 5}))
    assert got == [Receipt("A1", 5)]


async def test_a_tool_of_one_argument_may_be_given_that_alone() -> None:
    assert (await in_node(lambda: shout.ainvoke("a")))[0] == ["A"]


async def test_calls_of_code_are_numbered_by_tool_in_the_order_they_are_made() -> None:
    async def body() -> Any:
        return await asyncio.gather(shout(word="a"), refund(order="A1", cents=5), shout(word="b"))

    _, run = await in_node(body)
    numbered = [(each.tool, getattr(each.origin, "index", None)) for each in run.calls]
    assert numbered == [("shout", 0), ("refund", 0), ("shout", 1)]


async def test_a_node_that_is_retried_numbers_its_calls_from_0_again() -> None:
    tries: list[int] = []

    async def body() -> None:
        await shout(word="a")
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError

    retry = RetryPolicy(initial_interval=0, jitter=False)
    _, run = await in_node(body, retry_policy=retry)
    first, second = run.origins
    assert first == second == NodeCall(task_id=getattr(first, "task_id"), index=0)  # noqa: B009


async def test_a_tool_call_that_code_hands_on_is_known_by_its_task() -> None:
    _, run = await in_node(lambda: shout.ainvoke(call("c1", "shout", word="a")))
    (origin,) = run.origins
    assert isinstance(origin, NodeCall)
    assert (origin.index, origin.provider_id) == (0, "c1")


async def test_the_name_of_a_message_in_a_call_forges_no_runtime() -> None:
    _, run = await in_node(lambda: shout.ainvoke(call("c1", "shout", word="a", runtime="x")))
    assert run.calls[0].arguments == {"word": "a", "runtime": "x"}


async def test_a_synchronous_graph_hands_its_calls_to_the_drivers_loop() -> None:
    threads: list[threading.Thread] = []

    @tool
    async def where(word: str) -> str:
        """Say where."""
        threads.append(threading.current_thread())
        return word

    def node(state: MessagesState) -> MessagesState:
        assert where.invoke({"word": "a"}) == "a"
        return state

    run = DirectCalls()
    await tool_graph(node).ainvoke({"messages": []}, run.config)
    asked = {"messages": [asking(call("c1", "where", word="a"))]}
    await asyncio.to_thread(tool_graph(ToolNode([where])).invoke, asked, run.config)
    assert threads == [threading.current_thread()] * 2
    assert run.origins[1] == MessageCall(message_id="m1", position=0, provider_id="c1")


async def test_a_synchronous_call_on_the_loops_own_thread_does_not_wait_for_ever() -> None:
    async def body() -> Any:
        return shout.invoke({"word": "a"})

    assert (await in_node(body))[0] == ["A"]


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize(
    "signal", [LeaseLost("lost"), GraphInterrupt((Interrupt(value="may I", id="i1"),))]
)
async def test_signals_pass_untouched(signal: BaseException, *, blocks: bool) -> None:
    class Signalling(DirectCalls):
        async def call(self, *_: Any, **__: Any) -> Any:
            raise signal

    async def node(state: MessagesState) -> MessagesState:
        if blocks:
            await asyncio.to_thread(shout.invoke, {"word": "a"})
        await shout(word="a")
        return state

    graph = tool_graph(node)
    config = Signalling().config
    if isinstance(signal, GraphInterrupt):
        state = await graph.ainvoke({"messages": []}, config)
        assert [each.id for each in state["__interrupt__"]] == ["i1"]
    else:
        with pytest.raises(LeaseLost) as raised:
            await graph.ainvoke({"messages": []}, config)
        assert raised.value is signal


async def test_what_a_tool_node_injects_reaches_the_function() -> None:
    @tool
    async def look(
        word: str,
        count: Annotated[int, InjectedState("count")],
        at: ToolRuntime[None, Any],
        call_id: Annotated[str, InjectedToolCallId],
        none: Annotated[int, InjectedState("missing")] = 7,
    ) -> str:
        """Look."""
        return f"{word} {count} {at.tool_call_id} {call_id} {none}"

    class Counted(MessagesState):
        count: int

    graph = tool_graph(ToolNode([look]), Counted)
    run = DirectCalls()
    asked = asking(call("c1", "look", word="a", count=99, call_id="forged"))
    state = await graph.ainvoke({"messages": [asked], "count": 3}, run.config)
    assert state["messages"][-1].content == "a 3 c1 c1 7"
    assert run.calls[0].arguments == {"word": "a"}
    assert run.origins == [MessageCall(message_id="m1", position=0, provider_id="c1")]


async def test_a_secret_reaches_the_function_and_nothing_else() -> None:
    seen: list[str] = []

    @tool
    async def post(text: str, token: Annotated[str, SecretRef("POST_TOKEN")]) -> str:
        """Post."""
        seen.append(token)
        return text

    run = DirectCalls(secrets={"POST_TOKEN": "canary-7"})
    asked = {"messages": [asking(call("c1", "post", text="hello"))]}
    state = await tool_graph(ToolNode([post])).ainvoke(asked, run.config)
    assert seen == ["canary-7"]
    assert "canary" not in f"{state}{run.calls}"


async def test_outside_of_a_run_nothing_is_called() -> None:
    with pytest.raises(OutsideRun, match=r"`\.function`"):
        await shout(word="a")
    with pytest.raises(OutsideRun):
        await tool_graph(ToolNode([shout])).ainvoke(
            {"messages": [asking(call("c1", "shout", word="a"))]}
        )


async def test_outside_of_a_node_nothing_is_called() -> None:
    with pytest.raises(OutsideRun):
        await shout.ainvoke({"word": "a"}, DirectCalls().config)


def test_the_bare_function_is_there_for_tests() -> None:
    assert shout.function("a") == "A"


async def test_a_subgraph_finds_the_run_too() -> None:
    inner = tool_graph(ToolNode([shout]))
    run = DirectCalls()
    asked = {"messages": [asking(call("c1", "shout", word="a"))]}
    await tool_graph(inner).ainvoke(asked, run.config)
    assert run.origins == [MessageCall(message_id="m1", position=0, provider_id="c1")]
