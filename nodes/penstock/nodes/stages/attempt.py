"""Attempt: a call begins in the ledger, is executed and settled, as often as its class allows.

A call that exceeds the budget of its run does not begin, and people may raise the budget.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from langgraph.errors import GraphBubbleUp
from sqlalchemy import Connection

from penstock.checkpoints import decisions, ledger
from penstock.contracts.budget import AccountKind
from penstock.contracts.call import Attempt, Done, Failed, InDoubt, Outcome, Refused, Stage
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.errors import OverBudget
from penstock.contracts.signals import BudgetExhausted, LeaseLost
from penstock.contracts.tool import REPEATABLE, EffectClass, RetryAfter, RetryPlan
from penstock.nodes.calls.call import (
    ApprovedCall,
    AsksQuestion,
    AttemptedCall,
    AttemptOutcome,
    Next,
    Produced,
    ToolCall,
)
from penstock.nodes.calls.claim import claim, worst_cost
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import outcome_of, parking_interrupt
from penstock.nodes.gates.exhaustion import Resolution, resolve_exhaustion
from penstock.nodes.gates.questions import QuestionGates
from penstock.nodes.stages.trace import outcome_attributes
from penstock.traces import EventName, names

FOR_TODAY = "over_day_budget"
"""The code of a refusal because the budget that a tenant has for a day is used up."""

Executor = Callable[[AttemptedCall], Awaitable[AttemptOutcome | AsksQuestion]]
"""Executes one attempt."""

_WAITS = Failed(code="asks", message="it waits for an answer", retryable=True)
"""The outcome of an attempt that asks: when it is answered, it starts from its first line."""

_DOUBLINGS = 32
"""After so many doublings a wait is the longest of any retry plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    outcome: Outcome
    unsettled: Effect | None = None
    """The effect of an attempt that left open whether the call happened."""
    may_retry: bool = False
    """Whether another attempt may follow."""


@dataclass(frozen=True, slots=True)
class Afford:
    """Refuses a call that exceeds the budget, or asks people to raise it."""

    context: SegmentContext

    async def __call__(self, approved: ApprovedCall, following: Next[ApprovedCall]) -> Outcome:
        """Let the call go on; handle the case that its claim finds too little left.

        Raises:
            GraphInterrupt: The run is to wait until people have decided about its budget.
            BudgetExhausted: They have decided that it stops.
            GateExpired: They have not decided in time.
        """
        while True:
            try:
                return await following(approved)
            except OverBudget as error:
                refused = await self._resolve(approved.call, error)
            if refused is not None:
                return refused

    async def _resolve(self, call: ToolCall, error: OverBudget) -> Refused | None:
        """Return the refusal of a call that does not fit; None where it fits by now."""
        outcome = await self.context.store.write(
            lambda connection: resolve_exhaustion(connection, self.context, error, worst_cost(call))
        )
        gate = outcome.gate
        match outcome.resolution:
            case Resolution.FITS:
                return None
            case Resolution.WAIT if gate is not None:
                raise parking_interrupt(gate.id, f"the budget does not hold {call.tool.name}")
            case Resolution.STOP:
                raise BudgetExhausted(error)
            case _:
                code = FOR_TODAY if error.shortfall.kind is AccountKind.DAY else error.code
                return Refused(stage=Stage.BUDGET, code=code, message=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Makes the attempts of a call, within all its stages."""

    context: SegmentContext
    execute: Executor
    questions: QuestionGates
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no further attempt is to be made in the segment."""

    async def __call__(self, approved: ApprovedCall) -> Outcome:
        """Make attempts until one settles the call, or no more may be made."""
        call = approved.call
        plan = call.tool.contract.retry
        tried, count = await self._try(approved), 1
        while tried.may_retry and count < plan.attempt_limit and not self.closing.is_set():
            _trace_failure(call, tried.outcome, count)
            await self._pause(_wait_s(plan, count))
            tried, count = await self._try(approved), count + 1
        if tried.unsettled is None:
            return tried.outcome
        return await self._doubt(call, tried.unsettled, tried.outcome)

    async def _try(self, approved: ApprovedCall) -> _Tried:
        call = approved.call
        is_free = call.tool.contract.cost is None and call.effect.spend is None
        if call.effect.effect is EffectClass.READ and approved.approval is None and is_free:
            return await self._read(approved)
        began_s, at = time.monotonic(), self.context.clock.now()
        self.context.note_steps()
        effect, is_begun = await self.context.store.write(
            lambda connection: claim(connection, self.context, approved, at=at)
        )
        if not is_begun:
            return _Tried(outcome=outcome_of(call, effect))
        call.span.set({names.RETRY_COUNT: effect.attempt - 1})
        if time.monotonic() - began_s > call.effect.timeout_s:
            # This process stood still meanwhile: for others, the attempt is over already.
            late = Failed(code="too_late", message="it was never started", retryable=True)
            return await self._settle(call, effect, late)
        try:
            outcome = await self.execute(self._attempted(call, effect.attempt))
        except GraphBubbleUp:
            await self._settle(call, effect, _WAITS)
            raise
        if isinstance(outcome, AsksQuestion):
            await self._settle(call, effect, _WAITS)
            raise await self.questions.ask(call, outcome)
        if isinstance(outcome, InDoubt):
            plan = call.tool.contract.retry
            may_retry = plan.after is RetryAfter.ANY and call.effect.effect in REPEATABLE
            return _Tried(outcome=outcome, unsettled=effect, may_retry=may_retry)
        return await self._settle(call, effect, outcome)

    async def _settle(self, call: ToolCall, effect: Effect, outcome: Produced | Failed) -> _Tried:
        settled = await self.context.store.write(
            lambda connection: self.record(connection, effect, outcome)
        )
        if settled is None:
            raise LeaseLost(
                f"attempt {effect.attempt} of `{effect.tool}` has been followed by another"
            )
        if isinstance(outcome, Failed):
            if settled.status is EffectStatus.FAILED:
                return _Tried(outcome=outcome, may_retry=outcome.retryable)
            why = f"{outcome.message}; an attempt before may have happened all the same"
            still_open = InDoubt(effect_key=settled.key, message=why)
            return _Tried(outcome=still_open, unsettled=settled, may_retry=outcome.retryable)
        return _Tried(outcome=Done(result=call.tool.results.load(outcome.text), recorded=False))

    async def _read(self, approved: ApprovedCall) -> _Tried:
        """Make an attempt that changes nothing: it is recorded, and nobody waits for that."""
        call = approved.call
        outcome = await self.execute(self._attempted(call, 1))
        self.context.note_steps()
        match outcome:
            case AsksQuestion():
                # Recorded, so that the people who are asked find the call that asks.
                self._post_read(approved, _WAITS)
                raise await self.questions.ask(call, outcome)
            case Produced():
                self._post_read(approved, outcome)
                result = call.tool.results.load(outcome.text)
                return _Tried(outcome=Done(result=result, recorded=False))
            case Failed():
                if call.effect.taints:
                    # Its message may contain what somebody outside wrote.
                    self._post_read(approved, replace(outcome, retryable=True))
                return _Tried(outcome=outcome, may_retry=outcome.retryable)
            case InDoubt():
                return _Tried(outcome=outcome)

    def record(
        self, connection: Connection, effect: Effect, outcome: Produced | Failed
    ) -> Effect | None:
        """Record the outcome of an attempt; return None if a later attempt has begun.

        An effect whose earlier attempt was left open is not recorded as failed.
        """
        at, actor = self.context.clock.now(), self.context.worker
        key, attempt = effect.key, effect.attempt
        if isinstance(outcome, Produced):
            return ledger.succeed(connection, key, attempt, outcome.text, at=at, actor=actor)
        return ledger.fail(connection, key, attempt, outcome, at=at, actor=actor)

    def _post_read(self, approved: ApprovedCall, outcome: Produced | Failed) -> None:
        self.context.store.post(lambda tx: self._record_read(tx, approved, outcome))

    def _record_read(
        self, connection: Connection, approved: ApprovedCall, outcome: Produced | Failed
    ) -> None:
        at, run, worker = self.context.clock.now(), self.context.run, self.context.worker
        effect, is_begun = ledger.begin(
            connection, approved.call.effect, fence=run.fence, at=at, actor=worker
        )
        if is_begun:
            decisions.record(connection, approved.decided, actor=worker)
            self.record(connection, effect, outcome)

    async def _doubt(self, call: ToolCall, effect: Effect, outcome: Outcome) -> Outcome:
        if self.closing.is_set() and call.effect.effect in REPEATABLE:
            # The call may be repeated, and will be by the worker that drives the run next.
            return outcome
        at, why = self.context.clock.now(), getattr(outcome, "message", "")
        doubtful = await self.context.store.write(
            lambda connection: ledger.doubt(
                connection,
                effect,
                call.effect,
                why=("unknown", why),
                at=at,
                actor=self.context.worker,
            )
        )
        return outcome_of(call, doubtful)

    def _attempted(self, call: ToolCall, number: int) -> AttemptedCall:
        deadline_at = self.context.clock.now() + timedelta(seconds=call.effect.timeout_s)
        attempt = Attempt(
            key=call.effect.key,
            number=number,
            deadline_at=deadline_at,
            run_id=self.context.run.id,
        )
        return AttemptedCall(call=call, attempt=attempt)

    async def _pause(self, seconds: float) -> None:
        if asyncio.get_running_loop() is not self.loop:
            # A synchronous call blocks the segment's loop: nobody can stop it meanwhile.
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()


def _wait_s(plan: RetryPlan, count: int) -> float:
    """Return the time to wait after so many attempts."""
    doubled = plan.first_wait_s * 2 ** min(count - 1, _DOUBLINGS)
    jitter_s = random.uniform(0, plan.first_wait_s / 10)  # noqa: S311  (nobody has to guess it)
    return min(doubled, plan.longest_wait_s) + jitter_s


def _trace_failure(call: ToolCall, outcome: Outcome, count: int) -> None:
    attributes, message = outcome_attributes(outcome)
    call.span.event(
        EventName.ATTEMPT_FAILED,
        {names.ATTEMPT: count, names.OUTCOME: attributes[names.OUTCOME], names.MESSAGE: message},
    )
    call.span.set({names.RETRY_COUNT: count})
