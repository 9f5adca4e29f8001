"""How a segment hears of all that happens in its graph: as a parent graph hears of a child.

LangGraph's public way, a stream of subgraphs and of what nodes write, executes every node in a
task of its own, beside one that waits for the stream. That is a fifth of the work of a short run.
"""

import asyncio
import threading
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel.protocol import StreamProtocol
from langgraph.runtime import Runtime

from penstock.runs.segment import Segment

STREAM_KEY = "__pregel_stream"
"""Under which a parent graph's stream is handed to its subgraphs; a contract test holds it."""
RUNTIME_KEY = "__pregel_runtime"
"""Under which a parent graph's runtime is; a contract test holds it."""


def heard(config: RunnableConfig, compiled: Any, segment: Segment) -> RunnableConfig:
    """Return `config` for an execution of `compiled` of which `segment` hears, subgraphs and all.

    It hears in the loop that this is called in, whatever thread something happens in. Only whether
    a step may begin it is asked at once, before LangGraph begins it.
    """
    loop, home = asyncio.get_running_loop(), threading.get_ident()

    def tell(told: tuple[Any, ...]) -> None:
        _, mode, event = told
        segment.admit(mode, event)
        if threading.get_ident() != home:
            loop.call_soon_threadsafe(segment.hear, *told)
        elif mode == "tasks" and "result" in event:
            # Not at once: LangGraph tells that a task has ended before its writes are handed in,
            # which the loop does next, and a step must not be durable without them.
            loop.call_soon(segment.hear, *told)
        else:
            segment.hear(*told)

    # LangGraph takes a graph's store from here too, once there is a runtime.
    runtime: Runtime[Any] = Runtime(
        store=compiled.store, stream_writer=lambda _: segment.hear((), "custom", None)
    )
    keys = {STREAM_KEY: StreamProtocol(tell, {"tasks"}), RUNTIME_KEY: runtime}
    return {**config, "configurable": {**config.get("configurable", {}), **keys}}
