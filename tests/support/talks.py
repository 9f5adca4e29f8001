"""Graphs in which a message asks for calls of one tool."""

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import BaseTool
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode

from penstock.graphs import Graph, declare


class Talk(TypedDict):
    """A conversation."""

    messages: Annotated[list[AnyMessage], add_messages]


def talk(called: BaseTool, *arguments: dict[str, Any], name: str = "talk", **more: Any) -> Graph:
    """Declare a graph whose message asks for a call with each of these arguments."""

    def ask(_: Talk) -> Any:
        asked = [
            {"name": called.name, "args": each, "id": f"c{number}", "type": "tool_call"}
            for number, each in enumerate(arguments)
        ]
        return {"messages": [AIMessage("", id="m1", tool_calls=asked)]}

    graph: Any = StateGraph(Talk)
    graph.add_node("ask", ask)
    graph.add_node("tools", ToolNode([called]))
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "tools")
    return declare(graph, name=name, **more)
