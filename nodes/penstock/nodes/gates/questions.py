"""Questions that the function of a call asks by `interrupt()`: each is a gate of the call.

LangGraph matches answers by the order in which a task asks, and a `ToolNode` makes all calls of a
message in one task: they would race for each other's answers. So each attempt is given a config of
its own, in which it counts its own questions and finds its own answers, and which does not report
them to the task. LangGraph also numbers the graphs that a task runs, and keeps their checkpoints
under that number. The graphs of a call are numbered from a digest of its key, so that the call
finds its own graphs again, whichever of its siblings have finished meanwhile.
"""

import hashlib
import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
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
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import gates
from penstock.checkpoints.fence import require_lease
from penstock.contracts.gate import GateKind, Question
from penstock.contracts.ids import GateId, IdempotencyKey, RunId
from penstock.nodes.calls.call import AsksQuestion, ToolCall
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import parking_interrupt
from penstock.nodes.tools.request import tool_runtime

SCRATCHPAD, SEND, NAMESPACE = "__pregel_scratchpad", "__pregel_send", "checkpoint_ns"
"""The keys that LangGraph's `interrupt` reads in a config; a contract test holds them."""
RESUME = "__resume__"
"""The channel to which LangGraph writes the answers that were used up."""


class InterruptScope:
    """The questions of one attempt of a call, and the answers to them."""

    def __init__(self, answers: Sequence[object], *, subgraphs: Callable[[], int]) -> None:
        """Answer the questions of one attempt of a call, in the order in which it asks them."""
        self._answers = list(answers)
        self._subgraphs = subgraphs
        self._count = itertools.count().__next__
        self._namespace: str | None = None

    def config(self, config: RunnableConfig) -> RunnableConfig:
        """Return a config whose questions are answered here; a config of no node as it is."""
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
        configurable = {**found, SCRATCHPAD: own, SEND: _SendWithoutResume(found[SEND])}
        return cast(RunnableConfig, {**config, "configurable": configurable})

    def injected(self, value: object) -> object:
        """Return a `ToolRuntime` whose questions are answered here; any other value as it is."""
        runtime: Any = tool_runtime([value])
        if runtime is None:
            return value
        return replace(runtime, config=self.config(runtime.config))

    @contextmanager
    def here(self) -> Generator[None]:
        """Answer the questions of whatever is called in this context."""
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
        """Return the next question of the attempt, if that is what it raised.

        The gate of a call that it made, or a question of a graph that it ran, is none.
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


class QuestionGates:
    """The gates of the questions of one segment's calls.

    The answers are read once: an answer that comes later is delivered in the next segment.
    """

    def __init__(self, context: SegmentContext) -> None:
        """Ask on behalf of the run that the segment drives."""
        self._context = context
        # A run that is claimed for the first time has asked nothing.
        self._answers: Mapping[GateId, str] | None = {} if context.run.epoch == 1 else None
        self._subgraphs: dict[IdempotencyKey, Callable[[], int]] = {}

    async def scope(self, call: ToolCall) -> InterruptScope:
        """Return the scope in which an attempt of a call asks and is answered."""
        key = call.effect.key
        subgraphs = self._subgraphs.setdefault(key, subgraph_counter(key))
        return InterruptScope(await self._answered(call), subgraphs=subgraphs)

    async def ask(self, call: ToolCall, asked: AsksQuestion) -> GraphInterrupt:
        """Open the gate of a question, and return the interrupt that a node raises to wait at it.

        Raises:
            LeaseLost: Another worker drives the run now.
        """
        run, at = self._context.run, self._context.clock.now()
        question = Question(
            id=self._gate(call, asked.number),
            question=asked.question,
            answer_schema=asked.answer_schema,
            effect_key=call.effect.key,
        )

        def change(connection: Connection) -> None:
            require_lease(connection, run.fence)
            gates.open_questions(connection, run, [question], at=at)

        await self._context.store.write(change)
        return parking_interrupt(question.id, f"`{call.tool.name}` asks a question")

    async def _answered(self, call: ToolCall) -> Sequence[object]:
        """Return the answers that a call has so far, in the order of its questions."""
        if self._answers is None:
            self._answers = await self._read()
        found: list[object] = []
        while (answer := self._answers.get(self._gate(call, len(found)))) is not None:
            found.append(from_json(answer))
        return found

    def _gate(self, call: ToolCall, number: int) -> GateId:
        return question_gate_id(self._context.run.id, call, number)

    async def _read(self) -> Mapping[GateId, str]:
        run_id = self._context.run.id
        found = await self._context.store.read(lambda connection: gates.of_run(connection, run_id))
        return {
            gate.id: gate.answer
            for gate in found
            if gate.kind is GateKind.QUESTION and gate.answer is not None
        }


def subgraph_counter(key: IdempotencyKey) -> Callable[[], int]:
    """Return the function that numbers the graphs of a call in a segment, in all its attempts."""
    first = int(hashlib.blake2b(key.encode(), digest_size=7).hexdigest(), 16)
    # Never 0, which is the namespace of the node itself.
    return itertools.count(first + 1).__next__


def question_gate_id(run_id: RunId, call: ToolCall, number: int) -> GateId:
    """Return the id of the gate of a question of a call, numbered from 0.

    An answer belongs to a call with these arguments. The run is part of the id, because the calls
    of a copied thread have the same keys.
    """
    text = f"{run_id}|{call.effect.key}|{call.effect.digest}|{number}"
    return GateId(hashlib.blake2b(text.encode(), digest_size=16).hexdigest())


class _SendWithoutResume:
    """Sends the writes of a task, without the used-up answers: those are not the task's."""

    def __init__(self, send: Any) -> None:
        self._send = send

    def __call__(self, writes: Sequence[tuple[str, Any]]) -> None:
        others = [each for each in writes if each[0] != RESUME]
        if others:
            self._send(others)
