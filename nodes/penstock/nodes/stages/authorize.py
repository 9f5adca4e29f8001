"""Authorize: the run's mode and its policy decide whether a call may be made, before people do.

A call is decided again where what its decision rested on changed before the call began.
"""

import asyncio
import random
import time
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from penstock.checkpoints import decisions, gates, ledger
from penstock.contracts.call import InDoubt, Outcome, Refused, Stage
from penstock.contracts.effect import Effect
from penstock.contracts.policy import RecordedDecision, Verdict
from penstock.contracts.run import RunMode
from penstock.contracts.tool import EffectClass
from penstock.nodes.calls.authorization import Authorizer
from penstock.nodes.calls.call import AuthorizedCall, Next, RecalledCall, ToolCall
from penstock.nodes.calls.claim import (
    Contended,
    DoneElsewhere,
    StaleDecision,
    may_be_done_elsewhere,
)
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import busy, outcome_of
from penstock.nodes.stages.trace import trace_decision

POLICY_CHANGES = 5
"""The number of policy changes before its claim after which a call is refused."""

CONTENDED_S = 10.0
"""The time that a call waits for other threads of its lineage that are about to make the same."""

_CONTENDED_WAIT_S = (0.005, 0.05)
"""The least and the longest wait between two attempts to begin, while others are about to."""


@dataclass(frozen=True, slots=True)
class Simulate:
    """Refuses every call that might change something, in a run that only simulates."""

    context: SegmentContext

    async def __call__(self, recalled: RecalledCall, following: Next[RecalledCall]) -> Outcome:
        """Let the call go on in a live run, and where it only reads."""
        call = recalled.call
        is_live = self.context.run.mode is RunMode.LIVE
        if is_live or call.effect.effect is EffectClass.READ:
            return await following(recalled)
        return Refused(
            stage=Stage.CONTRACT,
            code="simulated",
            message=(
                f"the run only simulates: `{call.tool.name}` was not called, and its arguments fit"
            ),
        )


@dataclass(frozen=True, slots=True)
class FindDoneElsewhere:
    """Finds a call that another thread of the lineage has made, so that people are asked first."""

    context: SegmentContext

    async def __call__(self, recalled: RecalledCall, following: Next[RecalledCall]) -> Outcome:
        """Let the call go on, marked where another thread has made it."""
        call = recalled.call
        if call.is_done_elsewhere or not may_be_done_elsewhere(recalled):
            return await following(recalled)
        done = await self.context.store.read(
            lambda connection: ledger.find_in_lineage(connection, call.effect)
        )
        if done is None:
            return await following(recalled)
        return await following(replace(recalled, call=replace(call, is_done_elsewhere=True)))


@dataclass(frozen=True, slots=True)
class Authorize:
    """Refuses a call that the policy denies; one that it allows, or asks people about, goes on."""

    context: SegmentContext
    authorizer: Authorizer

    async def __call__(self, recalled: RecalledCall, following: Next[AuthorizedCall]) -> Outcome:
        """Have the policy decide, and remember what the run has read when the call has ended."""
        call = recalled.call
        decided = recalled.decision or await self.context.store.read(
            lambda connection: self.authorizer.decide_call(connection, call)
        )
        trace_decision(self.context, call, decided)
        if isinstance(decided, Refused):
            outcome: Outcome = decided
        elif decided.decision.verdict is Verdict.DENY:
            self._record(recalled, decided)
            outcome = Refused(stage=Stage.POLICY, code="denied", message=decided.decision.message)
        else:
            try:
                outcome = await following(AuthorizedCall(recalled=recalled, decided=decided))
            finally:
                # Whatever the outcome: an error too may contain what somebody outside wrote.
                self.authorizer.add_taints(call.tool.contract.taints)
        if isinstance(outcome, Refused) and recalled.effect is not None and recalled.is_begun:
            return await self._doubt(call, recalled.effect, outcome)
        return outcome

    def _record(self, recalled: RecalledCall, decided: RecordedDecision) -> None:
        """Record a denial and withdraw the gates of the call; nobody waits for that."""
        at, worker = self.context.clock.now(), self.context.worker
        asked = [gate.id for gate in recalled.gates]

        def change(connection: Connection) -> None:
            decisions.record(connection, decided, actor=worker)
            if asked:
                gates.withdraw(connection, asked, at=at, actor=worker)

        self.context.store.post(change)

    async def _doubt(self, call: ToolCall, effect: Effect, refused: Refused) -> Outcome:
        """Ask people about a call that began when it was allowed, and may not be repeated now.

        Nobody knows whether it happened, and a refusal would say that it did not.
        """
        at, worker = self.context.clock.now(), self.context.worker
        why = f"it was begun, and may not be repeated: {refused.message}"
        doubtful = await self.context.store.write(
            lambda connection: ledger.doubt(
                connection, effect, call.effect, why=("not_repeated", why), at=at, actor=worker
            )
        )
        outcome = outcome_of(call, doubtful)
        return outcome if isinstance(outcome, InDoubt) else refused


async def redecide(call: ToolCall, following: Next[ToolCall]) -> Outcome:
    """Take a call through the stages that follow, again where its claim finds a change."""
    changes, ends_s = 0, time.monotonic() + CONTENDED_S
    while True:
        try:
            return await following(call)
        except DoneElsewhere:
            call = replace(call, is_done_elsewhere=True)
        except Contended:
            if time.monotonic() > ends_s:
                return busy(call.tool.name)
            await asyncio.sleep(random.uniform(*_CONTENDED_WAIT_S))  # noqa: S311  (no secret)
        except StaleDecision:
            changes += 1
            if changes == POLICY_CHANGES:
                return _unsettled()


def _unsettled() -> Refused:
    return Refused(
        stage=Stage.POLICY,
        code="policy_unsettled",
        message=f"its policy changed {POLICY_CHANGES} times while it was to begin",
    )
