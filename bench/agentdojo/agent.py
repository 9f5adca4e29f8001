"""An agent that follows a script, as a graph: it calls one tool at a time, and reads the result."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode

from bench.agentdojo.suites import Scene, tool_forms
from bench.agentdojo.tools import TERMS
from penstock.graphs import Graph, declare
from penstock.nodes import Tool, adopt

NAME = "agent"


class State(TypedDict):
    """What was said and done."""

    messages: Annotated[list[AnyMessage], add_messages]


Stage = dict[str, Scene]
"""The scenes that are played, each by the thread of its run."""


def agent(stage: Stage, policy: Path) -> Graph:
    """Declare the graph that plays the scenes on a stage under a policy."""
    tools = governed_tools(stage)

    async def plan(state: State, config: RunnableConfig) -> dict[str, Any]:
        results = [each for each in state["messages"] if isinstance(each, ToolMessage)]
        call = _scene(stage, config).next([str(each.content) for each in results])
        if call is None:
            return {"messages": [AIMessage("done")]}
        asked = {"name": call.tool, "args": dict(call.args), "id": f"call-{len(results)}"}
        return {"messages": [AIMessage("", tool_calls=[asked])]}

    def following(state: State) -> str:
        last = state["messages"][-1]
        return "act" if isinstance(last, AIMessage) and last.tool_calls else END

    graph: Any = StateGraph(State)
    graph.add_node("plan", plan)
    graph.add_node("act", ToolNode(tools))
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", following, ["act", END])
    graph.add_edge("act", "plan")
    return declare(graph, name=NAME, policy=policy, tools=tools)


def governed_tools(stage: Stage) -> Sequence[Tool[Any]]:
    """Return AgentDojo's tools under their contracts; each acts on the scene of its run."""
    adopted: list[Tool[Any]] = []
    for form in tool_forms():
        terms = TERMS[form.name]
        base = StructuredTool.from_function(
            coroutine=_acting(stage, form.name),
            name=form.name,
            description=form.description,
            args_schema=form.arguments,
        )
        adopted.append(adopt(base, effect=terms.effect, taints=terms.taints, tags=terms.tags))
    return adopted


def _acting(stage: Stage, name: str) -> Callable[..., Awaitable[str]]:
    async def act(config: RunnableConfig, **args: object) -> str:
        return _scene(stage, config).act(name, _said(args))

    return act


def _said(args: Mapping[str, object]) -> dict[str, object]:
    # LangChain fills in what the call left out, and AgentDojo does so itself.
    return {name: value for name, value in args.items() if value is not None}


def _scene(stage: Stage, config: RunnableConfig) -> Scene:
    return stage[config["configurable"]["thread_id"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]  (every run has a thread)
