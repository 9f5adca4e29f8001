"""What carries out the tool calls of one segment of a run."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from langgraph.errors import GraphInterrupt

from penstock.checkpoints import ledger
from penstock.contracts.call import Failed, InDoubt, Origin, Outcome, Refused
from penstock.contracts.ids import GateId, IdempotencyKey, ThreadId
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.admit import admit
from penstock.nodes.calls.call import ToolCall, chain
from penstock.nodes.calls.deciding import Deciding
from penstock.nodes.calls.keys import key_of, undoing_key
from penstock.nodes.calls.known import busy, conflict
from penstock.nodes.gates.parking import gates_of, parked
from penstock.nodes.gates.questions import Questions
from penstock.nodes.stages.afford import Afford
from penstock.nodes.stages.anew import anew
from penstock.nodes.stages.approve import Approve
from penstock.nodes.stages.attempt import Attempts
from penstock.nodes.stages.authorize import Authorize
from penstock.nodes.stages.clear_up import ClearUp
from penstock.nodes.stages.execute import Execute
from penstock.nodes.stages.lineage import Lineage
from penstock.nodes.stages.recall import Recall
from penstock.nodes.stages.simulate import Simulate
from penstock.nodes.stages.trace import Trace, trace_refused
from penstock.nodes.stragglers import Stragglers
from penstock.nodes.tools.tool import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class _InFlight:
    call: ToolCall
    task: "asyncio.Task[Outcome]"


class RunCalls:
    """Carries out tool calls through their stages, each once at a time.

    A call is a task of its own: LangGraph may cancel whoever asked for it, and what has left the
    process must still be settled. The same call that comes again meanwhile joins it.
    """

    def __init__(
        self,
        acting: Acting,
        deciding: Deciding,
        stragglers: Stragglers,
        *,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        """Carry out the calls of a segment on the running loop; `heard` is told of each."""
        self.loop = asyncio.get_running_loop()
        self._acting = acting
        self._heard = heard
        self._lineage: ThreadId | None = None
        self._in_flight: dict[IdempotencyKey, _InFlight] = {}
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._counting = threading.Lock()
        self._parked: set[GateId] = set()
        questions = Questions(acting)
        self._attempts = Attempts(
            acting=acting,
            carry=Execute(acting=acting, late=stragglers.watch, questions=questions),
            questions=questions,
            closing=acting.halt.closing,
        )
        stages = [
            Trace(acting.trace),
            anew,
            Recall(acting, deciding.decide_call),
            Simulate(acting),
            ClearUp(acting=acting, undo=self._undo),
            Lineage(acting),
            Authorize(acting, deciding),
            Approve(acting),
            Afford(acting),
        ]
        self._carry_out = chain(stages, self._begin)

    async def call(
        self,
        tool: Tool[Any],
        arguments: Mapping[str, object],
        origin: Origin,
        injected: Mapping[str, object],
    ) -> Outcome:
        """Carry out a call, or park it where nobody knows whether it happened.

        Raises:
            GraphInterrupt: The run is to wait until that is decided.
        """
        lineage = await self._lineage_of_thread()
        key = key_of(self._acting.run.tenant, lineage, origin, tool.contract)
        call = admit(self._acting, tool, arguments, key=key, lineage=lineage, injected=injected)
        if isinstance(call, Refused):
            trace_refused(self._acting.trace, tool, arguments, call)
            return call
        self._heard()
        outcome = await self._joined(replace(call, provider_id=origin.provider_id))
        self._heard()
        if isinstance(outcome, InDoubt):
            gate_id = await self._gate(outcome)
            self._parked.add(gate_id)
            raise parked(gate_id, outcome.message)
        return outcome

    @property
    def waits_for(self) -> Collection[GateId]:
        """The gates at which calls were parked here.

        LangGraph keeps one of a task's, where several of its calls wait.
        """
        return frozenset(self._parked)

    def next_index(self, task_id: str, tool_name: str, attempt: int) -> int:
        """Count the calls of a tool in one execution of a node, from 0. From any thread."""
        place = (task_id, tool_name, attempt)
        with self._counting:
            self._counts[place] += 1
            return self._counts[place] - 1

    async def ended(self) -> None:
        """Wait until what is under way has been settled; each call has its deadline.

        Where the segment was told to halt, that is soon.
        """
        self._acting.halt.closing.set()
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
            # A synchronous call stands on the loop that carries this one out: it cannot wait.
            return busy(call.tool.name)
        return await asyncio.shield(under_way.task)

    async def _begin(self, call: ToolCall) -> Outcome:
        """Make the attempts of a call, unless the segment is to halt."""
        halt = self._acting.halt
        if halt.is_asked:
            return Failed(
                code="stopped", message=f"it was not begun, because {halt.why}", retryable=True
            )
        return await self._attempts(call)

    def _forget(self, key: IdempotencyKey, task: "asyncio.Task[Outcome]") -> None:
        self._in_flight.pop(key, None)
        # Whoever asked may be gone: what it raised counts as seen.
        error = None if task.cancelled() else task.exception()
        if isinstance(error, GraphInterrupt):
            self._parked.update(gates_of(error))

    async def _undo(self, call: ToolCall) -> Outcome:
        """Make the call that undoes another, with those of its arguments that it takes."""
        tool = call.tool.compensate
        if tool is None:
            return Failed(
                code="no_compensation",
                message=f"`{call.tool.name}` names nothing that undoes it",
                retryable=False,
            )
        given = json.loads(call.checked.canonical)
        names = [each.name for each in tool.signature.arguments]
        undoing = admit(
            self._acting,
            tool,
            {name: given[name] for name in names if name in given},
            key=undoing_key(call.effect.key),
            lineage=call.effect.lineage,
            injected={},
        )
        if isinstance(undoing, Refused):
            return undoing
        return await self._carry_out(replace(undoing, undoes=True))

    async def _gate(self, doubt: InDoubt) -> GateId:
        key = IdempotencyKey(doubt.effect_key)
        effect = await self._acting.store.read(lambda connection: ledger.get(connection, key))
        return ledger.gate_of(effect)

    async def _lineage_of_thread(self) -> ThreadId:
        if self._lineage is None:
            thread_id = self._acting.run.thread_id
            self._lineage = await self._acting.store.read(
                lambda connection: ledger.lineage_of(connection, thread_id)
            )
        return self._lineage
