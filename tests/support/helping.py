"""An agent that looks something up, pays, and says so: all that a page about a run can show."""

import asyncio
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode

from penstock.checkpoints import Store
from penstock.contracts.run import Run
from penstock.graphs import Graph, declare
from penstock.nodes import tool
from support.shops import Shop

IBAN = "DE44500105175407324931"
NAME = "helping"


class Ticket(TypedDict, total=False):
    """What the agent knows."""

    messages: Annotated[list[AnyMessage], add_messages]
    ticket: str
    cents: int
    note: str


def helping(paid: list[str] | None = None, *, is_failing: bool = False) -> Graph:
    """Return the graph; what its tool pays is noted in `paid`."""
    done = [] if paid is None else paid

    @tool(effect="read")
    async def look_up(order: str) -> dict[str, str]:
        """Look an order up."""
        return {"order": order, "iban": IBAN}

    @tool(effect="unsafe", sensitive=["iban"])
    async def pay(order: str, cents: int, iban: str) -> str:
        """Pay."""
        done.append(f"{order} {cents}")
        return f"paid {cents} to {iban}"

    async def plan(state: Ticket) -> Ticket:
        return {"messages": [HumanMessage(state.get("ticket", ""), id="h-0")], "cents": 42}

    async def agent(state: Ticket) -> Ticket:
        told = [each for each in state.get("messages", []) if each.type == "ai"]
        asks: list[dict[str, Any]] = [
            {"name": "look_up", "args": {"order": "A-1"}, "id": "c-0"},
            {
                "name": "pay",
                "args": {"order": "A-1", "cents": state.get("cents", 0), "iban": IBAN},
                "id": "c-1",
            },
        ]
        calls: Any = asks[len(told) : len(told) + 1]
        said = "" if calls else "It was paid."
        return {"messages": [AIMessage(said, tool_calls=calls)]}

    async def check(state: Ticket) -> Ticket:
        if is_failing:
            raise RuntimeError(f"{len(state)} fields are not enough")
        return {"note": "checked"}

    def following(state: Ticket) -> str:
        last: Any = state.get("messages", [])[-1]
        return "tools" if last.tool_calls else "check"

    graph: Any = StateGraph(Ticket)
    graph.add_node("plan", plan, metadata={"kind": "plan"})
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode([look_up, pay]))
    graph.add_node("check", check, metadata={"kind": "verify"})
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "agent")
    graph.add_conditional_edges("agent", following, ["tools", "check"])
    graph.add_edge("tools", "agent")
    graph.add_edge("check", END)
    return declare(graph, name=NAME, tools=[look_up, pay])


def helped(store: Store, graph: Graph) -> Run:
    """Return a run of the graph that a worker has driven to its end."""
    return asyncio.run(Shop(store, graph).run(given={"ticket": f"Pay A-1 to {IBAN}"}))
