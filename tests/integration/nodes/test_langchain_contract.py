"""What is relied on in LangChain and LangGraph without their promise: a new version shows here."""

from typing import Annotated, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId
from langchain_core.tools import base as tools
from langgraph._internal import _constants
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime
from langgraph.prebuilt import tool_node as nodes

from penstock.nodes import tool
from penstock.nodes.context import CALLS
from penstock.nodes.origin import RUNTIME
from penstock.nodes.signature import RESERVED
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
