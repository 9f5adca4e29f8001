"""`interrupt()` in the function of a call: its questions and their answers are the call's own.

LangGraph matches answers by the order in which a task asks, and a `ToolNode` makes all calls of a
message in one task: they would race for each other's answers. So each attempt is given a config in
which it is alone: it counts its own questions, finds its own answers, and tells nobody of them.
LangGraph numbers the graphs that a task runs in the same way, and keeps their checkpoints under
that number. Those of a call are numbered from one that is made of its key, so that it comes back to
its own, whichever of its siblings have finished meanwhile.
"""

import hashlib
import itertools
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.types import (
    Interrupt,
    _interrupt_id,  # pyright: ignore[reportPrivateUsage]  (held by a contract test)
)

from penstock.contracts.ids import IdempotencyKey
from penstock.nodes.tools.origin import tool_runtime

SCRATCHPAD, SEND, NAMESPACE = "__pregel_scratchpad", "__pregel_send", "checkpoint_ns"
"""Where LangGraph's `interrupt` looks in a config; a contract test holds them."""

RESUME = "__resume__"
"""The channel to which it tells which answers were used up."""


class Asking:
    """What one attempt of a call asks, and what it is answered."""

    def __init__(self, answers: Sequence[object], *, subgraphs: Callable[[], int]) -> None:
        """Answer the questions of one attempt of a call, in the order in which it asks them."""
        self._answers = list(answers)
        self._subgraphs = subgraphs
        self._count = itertools.count().__next__
        self._namespace: str | None = None

    def config(self, config: RunnableConfig) -> RunnableConfig:
        """Return a config in which what asks is answered here; one of no node as it is."""
        found: dict[str, Any] = config.get("configurable", {})
        shared: Any = found.get(SCRATCHPAD)
        if shared is None:
            return config
        own = replace(
            shared,
            interrupt_counter=self._count,
            resume=self._answers,
            get_null_resume=lambda consume=False: None,  # noqa: ARG005  (LangGraph's own name)
            subgraph_counter=self._subgraphs,
        )
        configurable = {**found, SCRATCHPAD: own, SEND: _Sending(found[SEND])}
        return cast(RunnableConfig, {**config, "configurable": configurable})

    def injected(self, value: object) -> object:
        """Return a `ToolRuntime` with the config in which what asks is answered here."""
        runtime: Any = tool_runtime([value])
        if runtime is None:
            return value
        return replace(runtime, config=self.config(runtime.config))

    @contextmanager
    def here(self) -> Generator[None]:
        """Have what is started in here ask and be answered here."""
        found = var_child_runnable_config.get()
        if found is None:
            yield
            return
        self._namespace = found.get("configurable", {}).get(NAMESPACE)
        token = var_child_runnable_config.set(self.config(found))
        try:
            yield
        finally:
            var_child_runnable_config.reset(token)

    def question(self, raised: GraphBubbleUp) -> Interrupt[Any] | None:
        """Return what the attempt asks next, if that is what it raised.

        A gate of a call that it made, or a question of a graph that it ran, is not.
        """
        if self._namespace is None or not isinstance(raised, GraphInterrupt):
            return None
        own = _interrupt_id(self._namespace, len(self._answers))
        found: Sequence[Interrupt[Any]] = raised.args[0]
        return next((each for each in found if each.id == own), None)

    @property
    def number(self) -> int:
        """The number of its next question, from 0."""
        return len(self._answers)


def subgraphs_of(key: IdempotencyKey) -> Callable[[], int]:
    """Return what numbers the graphs that a call runs in a segment, in all its attempts."""
    first = int(hashlib.blake2b(key.encode(), digest_size=7).hexdigest(), 16)
    # Never 0, which would be the namespace of the node itself.
    return itertools.count(first + 1).__next__


class _Sending:
    """What a task writes, without the answers that were used up: those are not the task's."""

    def __init__(self, send: Any) -> None:
        self._send = send

    def __call__(self, writes: Sequence[tuple[str, Any]]) -> None:
        others = [each for each in writes if each[0] != RESUME]
        if others:
            self._send(others)
