"""The seam between a tool and the run it is called in.

A driver puts what carries out its calls into the config of the graph. LangGraph hands that to every
node, tool and subgraph, and stores no key of it that begins with two underscores.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast

from langchain_core.runnables import RunnableConfig

from penstock.contracts.call import Origin, Outcome

T_contra = TypeVar("T_contra", contravariant=True)

CALLS = "__penstock_calls"


class Calls(Protocol[T_contra]):
    """What carries out the tool calls of a run, from request to recorded outcome."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The driver's event loop; calls from threads are handed to it."""
        ...

    async def call(
        self,
        tool: T_contra,
        arguments: Mapping[str, object],
        origin: Origin,
        injected: Mapping[str, object],
    ) -> Outcome:
        """Carry out one call.

        Runs on `loop`, except where a synchronous call is made on that loop's own thread: then it
        runs on a loop in another thread, while `loop` stands still.

        Args:
            tool: The `penstock.nodes.Tool`.
            arguments: As they were given; nothing has checked them.
            origin: Where the call comes from; what its key is made of.
            injected: What LangChain injects, by the function's parameters.
        """
        ...

    def next_index(self, task_id: str, tool_name: str, attempt: int) -> int:
        """Count the calls of a tool in one execution of a node, from 0.

        LangGraph's own retry of a node is another `attempt` and counts from 0 again. May be called
        from any thread.
        """
        ...


def with_calls(config: RunnableConfig, calls: Calls[Any]) -> RunnableConfig:
    """Return a config in which tools find what carries out their calls."""
    configurable: dict[str, Any] = {**config.get("configurable", {}), CALLS: calls}
    return cast(RunnableConfig, {**config, "configurable": configurable})


def calls_of(config: RunnableConfig) -> Calls[Any] | None:
    """Return what carries out the calls of the run; None outside of one."""
    return config.get("configurable", {}).get(CALLS)
