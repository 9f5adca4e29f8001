"""Attempt: a call is begun in the ledger, carried out and settled, as often as its class allows."""

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
from penstock.contracts.call import Attempt, Done, Failed, InDoubt, Outcome
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.signals import LeaseLost
from penstock.contracts.tool import REPEATABLE, EffectClass, RetryAfter, RetryPlan
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Asks, Attempted, Ending, Produced, ToolCall
from penstock.nodes.calls.claim import claim
from penstock.nodes.calls.known import outcome_of
from penstock.nodes.gates.questions import Questions
from penstock.nodes.stages.trace import told_of
from penstock.traces import EventName, names

Carry = Callable[[Attempted], Awaitable[Ending | Asks]]
"""Carries out one attempt."""

_WAITS = Failed(code="asks", message="it waits for an answer", retryable=True)
"""What an attempt comes to that asks: it starts from its first line when that is answered."""


_DOUBLINGS = 32
"""Beyond so many a wait is the longest in any plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    outcome: Outcome
    effect: Effect | None = None
    """What is not settled yet: an attempt that left open whether it happened."""
    again: bool = False
    """Whether another attempt may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Makes the attempts of a call, the innermost of its stages."""

    acting: Acting
    carry: Carry
    questions: Questions
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no further attempt is to be made here."""

    async def __call__(self, call: ToolCall) -> Outcome:
        """Make attempts until one settles the call, or no more may be made."""
        plan = call.tool.contract.retry
        tried, count = await self._try(call), 1
        while tried.again and count < plan.attempt_limit and not self.closing.is_set():
            _trace_failed(call, tried.outcome, count)
            await self._pause(_wait_s(plan, count))
            tried, count = await self._try(call), count + 1
        if tried.effect is None:
            return tried.outcome
        return await self._doubt(call, tried.effect, tried.outcome)

    async def _try(self, call: ToolCall) -> _Tried:
        is_free = call.tool.contract.cost is None and call.effect.spend is None
        if call.effect.effect is EffectClass.READ and call.consent is None and is_free:
            return await self._read(call)
        asked_s, at = time.monotonic(), self.acting.clock.now()
        self.acting.note_steps()
        effect, is_begun = await self.acting.store.write(
            lambda connection: claim(connection, self.acting, call, at=at)
        )
        if not is_begun:
            return _Tried(outcome=outcome_of(call, effect))
        call.span.set({names.RETRY_COUNT: effect.attempt - 1})
        if time.monotonic() - asked_s > call.effect.timeout_s:
            # This process stood still meanwhile: for others, the attempt is over already.
            late = Failed(code="too_late", message="it was never started", retryable=True)
            return await self._settle(call, effect, late)
        try:
            ending = await self.carry(self._attempted(call, effect.attempt))
        except GraphBubbleUp:
            await self._settle(call, effect, _WAITS)
            raise
        if isinstance(ending, Asks):
            await self._settle(call, effect, _WAITS)
            raise await self.questions.ask(call, ending)
        if isinstance(ending, InDoubt):
            plan = call.tool.contract.retry
            again = plan.after is RetryAfter.ANY and call.effect.effect in REPEATABLE
            return _Tried(outcome=ending, effect=effect, again=again)
        return await self._settle(call, effect, ending)

    async def _settle(self, call: ToolCall, effect: Effect, ending: Produced | Failed) -> _Tried:
        settled = await self.acting.store.write(
            lambda connection: self.record(connection, effect, ending)
        )
        if settled is None:
            raise LeaseLost(
                f"attempt {effect.attempt} of `{effect.tool}` has been followed by another"
            )
        if isinstance(ending, Failed):
            if settled.status is EffectStatus.FAILED:
                return _Tried(outcome=ending, again=ending.retryable)
            why = f"{ending.message}; an attempt before may have happened all the same"
            open_still = InDoubt(effect_key=settled.key, message=why)
            return _Tried(outcome=open_still, effect=settled, again=ending.retryable)
        return _Tried(outcome=Done(result=call.tool.results.load(ending.text), recorded=False))

    async def _read(self, call: ToolCall) -> _Tried:
        """Make an attempt that changes nothing: it is recorded, and nobody waits for that."""
        ending = await self.carry(self._attempted(call, 1))
        self.acting.note_steps()
        match ending:
            case Asks():
                # So that whoever is asked finds the call that asks.
                self.acting.store.post(
                    lambda connection: self._record_read(connection, call, _WAITS)
                )
                raise await self.questions.ask(call, ending)
            case Produced():
                self.acting.store.post(
                    lambda connection: self._record_read(connection, call, ending)
                )
                result = call.tool.results.load(ending.text)
                return _Tried(outcome=Done(result=result, recorded=False))
            case Failed():
                if call.effect.taints:
                    # What it says of itself may be what somebody outside wrote.
                    passing = replace(ending, retryable=True)
                    self.acting.store.post(
                        lambda connection: self._record_read(connection, call, passing)
                    )
                return _Tried(outcome=ending, again=ending.retryable)
            case InDoubt():
                return _Tried(outcome=ending)

    def record(
        self, connection: Connection, effect: Effect, ending: Produced | Failed
    ) -> Effect | None:
        """Write down what an attempt came to; nothing if a later one has begun.

        An effect of which an attempt before was left open is not said to have failed.
        """
        at, actor = self.acting.clock.now(), self.acting.worker
        key, attempt = effect.key, effect.attempt
        if isinstance(ending, Produced):
            return ledger.succeed(connection, key, attempt, ending.text, at=at, actor=actor)
        return ledger.fail(connection, key, attempt, ending, at=at, actor=actor)

    def _record_read(
        self, connection: Connection, call: ToolCall, ending: Produced | Failed
    ) -> None:
        at, run, worker = self.acting.clock.now(), self.acting.run, self.acting.worker
        effect, is_begun = ledger.begin(
            connection, call.effect, fence=run.fence, at=at, actor=worker
        )
        if is_begun and call.decided is not None:
            decisions.record(connection, call.decided, actor=worker)
        if is_begun:
            self.record(connection, effect, ending)

    async def _doubt(self, call: ToolCall, effect: Effect, outcome: Outcome) -> Outcome:
        if self.closing.is_set() and call.effect.effect in REPEATABLE:
            # It may be repeated, and will be by whoever drives the run next.
            return outcome
        at, why = self.acting.clock.now(), getattr(outcome, "message", "")
        doubtful = await self.acting.store.write(
            lambda connection: ledger.doubt(
                connection,
                effect,
                call.effect,
                why=("unknown", why),
                at=at,
                actor=self.acting.worker,
            )
        )
        return outcome_of(call, doubtful)

    def _attempted(self, call: ToolCall, number: int) -> Attempted:
        deadline_at = self.acting.clock.now() + timedelta(seconds=call.effect.timeout_s)
        attempt = Attempt(
            key=call.effect.key,
            number=number,
            deadline_at=deadline_at,
            run_id=self.acting.run.id,
        )
        return Attempted(call=call, attempt=attempt)

    async def _pause(self, seconds: float) -> None:
        if asyncio.get_running_loop() is not self.loop:
            # A synchronous call on the loop's own thread: nobody can tell it to stop meanwhile.
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()


def _wait_s(plan: RetryPlan, count: int) -> float:
    """Return how long to wait after so many attempts."""
    doubled = plan.first_wait_s * 2 ** min(count - 1, _DOUBLINGS)
    jitter_s = random.uniform(0, plan.first_wait_s / 10)  # noqa: S311  (nobody has to guess it)
    return min(doubled, plan.longest_wait_s) + jitter_s


def _trace_failed(call: ToolCall, outcome: Outcome, count: int) -> None:
    told, why = told_of(outcome)
    call.span.event(
        EventName.ATTEMPT_FAILED,
        {names.ATTEMPT: count, names.OUTCOME: told[names.OUTCOME], names.MESSAGE: why},
    )
    call.span.set({names.RETRY_COUNT: count})
