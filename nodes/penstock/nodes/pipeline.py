"""The pipeline that takes the tool calls of one segment of a run through their stages."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from langgraph.errors import GraphInterrupt

from penstock.checkpoints import ledger
from penstock.contracts.call import Failed, InDoubt, Origin, Outcome, Refused
from penstock.contracts.ids import GateId, IdempotencyKey, ThreadId
from penstock.nodes.calls.admission import admit, compensation_key, key_of
from penstock.nodes.calls.authorization import Authorizer
from penstock.nodes.calls.call import ApprovedCall, ToolCall, starting_with
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import busy, conflict, parked_gates, parking_interrupt
from penstock.nodes.gates.questions import QuestionGates
from penstock.nodes.late_attempts import LateAttempts
from penstock.nodes.stages.approve import Approve
from penstock.nodes.stages.attempt import Afford, Attempts
from penstock.nodes.stages.authorize import Authorize, FindDoneElsewhere, Simulate, redecide
from penstock.nodes.stages.execute import Execute
from penstock.nodes.stages.recall import Recall
from penstock.nodes.stages.reconcile import Reconcile
from penstock.nodes.stages.trace import Trace, trace_refused
from penstock.nodes.tools.tool import Tool


class CallPipeline:
    """Takes the tool calls of a segment through their stages, each once at a time.

    A call is a task of its own: LangGraph may cancel whatever awaits it, and a call that has left
    the process must still be settled. The same call made again meanwhile awaits the same task.
    """

    def __init__(
        self,
        context: SegmentContext,
        authorizer: Authorizer,
        late: LateAttempts,
        *,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Take calls on the running loop; `on_progress` is called when one begins and ends."""
        self.loop = asyncio.get_running_loop()
        self._context = context
        self._on_progress = on_progress
        self._lineage: ThreadId | None = None
        self._in_flight: dict[IdempotencyKey, _InFlight] = {}
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._count_lock = threading.Lock()
        self._parked: set[GateId] = set()
        questions = QuestionGates(context)
        self._attempts = Attempts(
            context=context,
            execute=Execute(context=context, late=late.watch, questions=questions),
            questions=questions,
            closing=context.halt.closing,
        )
        self._carry_out = (
            starting_with(Trace(context.trace))
            .then(redecide)
            .then(Recall(context, authorizer.decide_call))
            .then(Simulate(context))
            .then(Reconcile(context=context, undo=self._undo))
            .then(FindDoneElsewhere(context))
            .then(Authorize(context, authorizer))
            .then(Approve(context))
            .then(Afford(context))
            .finally_(self._begin)
        )

    async def call(
        self,
        tool: Tool[Any],
        arguments: Mapping[str, object],
        origin: Origin,
        injected: Mapping[str, object],
    ) -> Outcome:
        """Return the outcome of a call, or park it where nobody knows whether it happened.

        Raises:
            GraphInterrupt: The run is to wait until that is decided.
        """
        lineage = await self._lineage_of_thread()
        key = key_of(self._context.run.tenant, lineage, origin, tool.contract)
        call = admit(
            self._context,
            tool,
            arguments,
            key=key,
            lineage=lineage,
            injected=injected,
            provider_id=origin.provider_id,
        )
        if isinstance(call, Refused):
            trace_refused(self._context.trace, tool, arguments, call)
            return call
        self._on_progress()
        outcome = await self._joined(call)
        self._on_progress()
        if isinstance(outcome, InDoubt):
            gate_id = await self._gate_of(outcome)
            self._parked.add(gate_id)
            raise parking_interrupt(gate_id, outcome.message)
        return outcome

    @property
    def waits_for(self) -> Collection[GateId]:
        """The gates at which calls were parked.

        LangGraph keeps only one interrupt of a task, where several of its calls wait.
        """
        return frozenset(self._parked)

    def next_index(self, task_id: str, tool_name: str, attempt: int) -> int:
        """Count the calls of a tool in one execution of a node, from 0. From any thread."""
        place = (task_id, tool_name, attempt)
        with self._count_lock:
            self._counts[place] += 1
            return self._counts[place] - 1

    async def drain(self) -> None:
        """Begin no further attempt, and wait until the calls under way have been settled.

        Each has its deadline; where the segment was halted, they end soon.
        """
        self._context.halt.closing.set()
        while self._in_flight:
            await asyncio.wait([each.task for each in self._in_flight.values()])

    async def _joined(self, call: ToolCall) -> Outcome:
        key = call.effect.key
        under_way = self._in_flight.get(key)
        if under_way is None:
            task = asyncio.create_task(self._carry_out(call), name=f"call of {call.tool.name}")
            under_way = _InFlight(call=call, task=task)
            self._in_flight[key] = under_way
            task.add_done_callback(lambda done: self._forget(key, done))
        elif under_way.call.effect.digest != call.effect.digest:
            return conflict(call.tool.name, "under way")
        if under_way.task.get_loop() is not asyncio.get_running_loop():
            # A synchronous call blocks the loop on which this one is under way: it cannot wait.
            return busy(call.tool.name)
        return await asyncio.shield(under_way.task)

    async def _begin(self, approved: ApprovedCall) -> Outcome:
        """Make the attempts of a call, unless the segment was halted."""
        halt = self._context.halt
        if halt.is_requested:
            return Failed(
                code="stopped", message=f"it was not begun, because {halt.reason}", retryable=True
            )
        return await self._attempts(approved)

    def _forget(self, key: IdempotencyKey, task: "asyncio.Task[Outcome]") -> None:
        self._in_flight.pop(key, None)
        # Nobody may await the task any more: its error counts as retrieved.
        error = None if task.cancelled() else task.exception()
        if isinstance(error, GraphInterrupt):
            self._parked.update(parked_gates(error))

    async def _undo(self, call: ToolCall) -> Outcome:
        """Make the call that undoes another, with the arguments of that call which it takes."""
        tool = call.tool.compensate
        if tool is None:
            return Failed(
                code="no_compensation",
                message=f"`{call.tool.name}` names nothing that undoes it",
                retryable=False,
            )
        values = json.loads(call.checked.canonical)
        names = [each.name for each in tool.signature.arguments]
        undoing = admit(
            self._context,
            tool,
            {name: values[name] for name in names if name in values},
            key=compensation_key(call.effect.key),
            lineage=call.effect.lineage,
            injected={},
            undoes=True,
        )
        if isinstance(undoing, Refused):
            return undoing
        return await self._carry_out(undoing)

    async def _gate_of(self, doubt: InDoubt) -> GateId:
        key = IdempotencyKey(doubt.effect_key)
        effect = await self._context.store.read(lambda connection: ledger.get(connection, key))
        return ledger.gate_of(effect)

    async def _lineage_of_thread(self) -> ThreadId:
        if self._lineage is None:
            thread_id = self._context.run.thread_id
            self._lineage = await self._context.store.read(
                lambda connection: ledger.lineage_of(connection, thread_id)
            )
        return self._lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class _InFlight:
    call: ToolCall
    task: "asyncio.Task[Outcome]"
