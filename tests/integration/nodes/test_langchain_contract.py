"""What is relied on in LangChain and LangGraph without their promise: a new version shows here."""

from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId
from langchain_core.tools import base as tools
from langgraph._internal import _constants
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime
from langgraph.prebuilt import tool_node as nodes
from langgraph.types import interrupt

from penstock.nodes import IdempotencyKey, tool
from penstock.nodes.gates.questions import (
    NAMESPACE,
    RESUME,
    SCRATCHPAD,
    SEND,
    InterruptScope,
    subgraph_counter,
)
from penstock.nodes.tools.request import CALLS, RUNTIME
from penstock.nodes.tools.signature import RESERVED
from support.calls import DirectCalls


@tool
async def shout(word: str) -> str:
    """Shout a word."""
    return word.upper()


def test_the_key_of_a_nodes_runtime_is_langgraphs() -> None:
    assert _constants.CONFIG_KEY_RUNTIME == RUNTIME


def test_langgraph_knows_a_tools_runtime_by_its_name_whatever_its_type() -> None:
    found = nodes._get_all_injected_args(shout)
    assert (found.runtime, found.all_injected_keys) == (RESERVED, {RESERVED})


def test_langchain_tells_what_is_injected_by_these_marks() -> None:
    told: Any = tools._is_injected_arg_type
    assert told(Annotated[int, InjectedState("n")])
    assert told(Annotated[int, InjectedToolArg])
    assert told(ToolRuntime)
    assert told(ToolRuntime[None, dict[str, Any]])
    assert told(Annotated[str, InjectedToolCallId], injected_type=InjectedToolCallId)
    assert not told(Annotated[int, "told"])
    assert tools._is_directly_injected_arg_type(ToolRuntime)
    assert issubclass(ToolRuntime, tools._DirectlyInjectedToolArg)


def test_the_methods_that_are_taken_over_are_there_and_have_their_shape() -> None:
    """If this fails, `Tool` has to take arguments in by another way."""

    class Bare(BaseTool):
        name: str = "bare"
        description: str = "Bare."

        def _to_args_and_kwargs(self, tool_input: Any, tool_call_id: str | None) -> Any:
            return (), {"asked": tool_input, "call_id": tool_call_id}

        def _filter_injected_args(self, tool_input: dict[str, Any]) -> dict[str, Any]:
            return {"filtered": len(tool_input)}

        def _run(self, asked: Any, call_id: str | None, config: RunnableConfig) -> Any:
            return asked, call_id, config.get("tags")

    told: list[Any] = []

    class Handler(BaseCallbackHandler):
        def on_tool_start(self, *_: Any, inputs: Any = None, **__: Any) -> None:
            told.append(inputs)

    config: RunnableConfig = {"tags": ["t"], "callbacks": [Handler()]}
    assert Bare().invoke({"a": 1}, config) == ({"a": 1}, None, ["t"])
    assert told == [{"filtered": 1}]


async def test_callbacks_are_told_the_arguments_and_nothing_that_was_injected() -> None:
    told: list[Any] = []

    class Handler(BaseCallbackHandler):
        def on_tool_start(self, *given: Any, inputs: Any = None, **_: Any) -> None:
            told.append((given[1], inputs))

    call: Any = {"name": "shout", "args": {"word": "a"}, "id": "c1", "type": "tool_call"}
    graph: Any = StateGraph(MessagesState).add_node("tools", ToolNode([shout]))
    graph = graph.add_edge(START, "tools").compile()
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    config = {**DirectCalls().config, "callbacks": [Handler()]}
    await graph.ainvoke({"messages": [message]}, config)
    assert told == [("{'word': 'a'}", {"word": "a"})]


def test_a_model_that_is_bound_does_not_see_what_is_injected() -> None:
    assert set(shout.args) == {"word"}


def test_langgraph_stores_no_key_that_begins_with_two_underscores() -> None:
    saver = InMemorySaver()
    builder: Any = StateGraph(MessagesState)
    graph = builder.add_node("n", lambda _: {}).add_edge(START, "n")
    config: Any = {"configurable": {"thread_id": "t", CALLS: object(), "kept": "yes"}}
    graph.compile(checkpointer=saver).invoke({"messages": []}, config)
    assert all(CALLS not in each.metadata for each in saver.list(config))


def test_the_keys_at_which_an_interrupt_looks_are_langgraphs() -> None:
    named = (
        _constants.CONFIG_KEY_SCRATCHPAD,
        _constants.CONFIG_KEY_SEND,
        _constants.CONFIG_KEY_CHECKPOINT_NS,
        _constants.RESUME,
    )
    assert named == (SCRATCHPAD, SEND, NAMESPACE, RESUME)


def test_an_interrupt_finds_its_answers_in_a_scratchpad_of_its_own_and_leaves_no_trace() -> None:
    """If this fails, `InterruptScope` has to take what a tool asks in by another way."""
    heard: list[Any] = []
    subgraphs = subgraph_counter(IdempotencyKey("k1"))

    def node(_: MessagesState) -> dict[str, Any]:
        asking = InterruptScope(["one", None], subgraphs=subgraphs)
        with asking.here():
            heard.extend([interrupt("first"), interrupt("second")])
            with pytest.raises(GraphInterrupt) as raised:
                interrupt("third", response_schema={"type": "string"})
        own = asking.question(raised.value)
        assert own is not None
        heard.append((own.value, own.response_schema, asking.number))
        other = InterruptScope([], subgraphs=subgraphs)
        with other.here():
            assert other.question(raised.value) is None
        heard.append(interrupt("the node's own"))
        return {}

    saver = InMemorySaver()
    builder: Any = StateGraph(MessagesState)
    graph = builder.add_node("n", node).add_edge(START, "n").compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}
    graph.invoke({"messages": []}, config)
    assert heard == ["one", None, ("third", {"type": "string"}, 2)]
    (asked,) = graph.get_state(config).interrupts
    assert asked.value == "the node's own"
    writes = [write for each in saver.list(config) for write in each.pending_writes or ()]
    assert all(channel != RESUME for _, channel, _ in writes)
