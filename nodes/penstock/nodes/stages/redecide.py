"""Redecide: a call is decided again where what its decision rested on changed before it began."""

import asyncio
import random
import time
from dataclasses import dataclass, replace

from penstock.checkpoints import ledger
from penstock.contracts.call import Outcome, Refused, Stage
from penstock.nodes.calls.call import Next, RecalledCall, ToolCall
from penstock.nodes.calls.claim import (
    Contended,
    DoneElsewhere,
    StaleDecision,
    may_be_done_elsewhere,
)
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import busy

POLICY_CHANGES = 5
"""The number of policy changes before its claim after which a call is refused."""
CONTENDED_S = 10.0
"""The time that a call waits for other threads of its lineage that are about to make the same."""

_WAIT_S = (0.005, 0.05)
"""The least and the longest wait between two attempts to begin, while others are about to."""


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
            await asyncio.sleep(random.uniform(*_WAIT_S))  # noqa: S311  (no secret)
        except StaleDecision:
            changes += 1
            if changes == POLICY_CHANGES:
                return _unsettled()


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


def _unsettled() -> Refused:
    return Refused(
        stage=Stage.POLICY,
        code="policy_unsettled",
        message=f"its policy changed {POLICY_CHANGES} times while it was to begin",
    )
