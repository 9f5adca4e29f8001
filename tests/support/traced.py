"""A graph whose second call may end its worker."""

from collections.abc import Callable
from typing import TypedDict

from penstock.graphs import Graph
from penstock.nodes import tool
from support.shops import chain_of


class State(TypedDict, total=False):
    """What the graph works on."""

    said: str


def calling(at_second: Callable[[], None]) -> Graph:
    """Declare a graph that calls a tool in its first node, and twice in its second."""

    @tool(effect="idempotent")
    async def note(number: int) -> int:
        """Note a number."""
        if number == 2:
            at_second()
        return number

    async def first(_: State) -> State:
        return {"said": str(await note(number=0))}

    async def second(_: State) -> State:
        return {"said": str(await note(number=1) + await note(number=2))}

    return chain_of(State, first, second, name="calling", tools=[note])
