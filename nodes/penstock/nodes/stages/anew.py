"""Anew: a call whose ground changed before it began is decided about once more."""

import asyncio
import random
import time
from dataclasses import replace

from penstock.contracts.call import Outcome, Refused, Stage
from penstock.nodes.calls.call import Next, ToolCall
from penstock.nodes.calls.claim import StaleDecision
from penstock.nodes.calls.known import busy
from penstock.nodes.calls.past import DONE_BEFORE, Contended, DoneElsewhere

POLICY_CHANGES = 5
"""So often a call is decided about anew because its policy changed before it began."""

CONTENDED_S = 10.0
"""So long a call waits for others of its lineage that are about to do the same."""

_WAIT_S = (0.005, 0.05)
"""Between so many seconds lie two attempts to begin while others are about to."""


async def anew(call: ToolCall, following: Next) -> Outcome:
    """Take a call through the stages that follow, again where what was decided does not hold."""
    changes, ends_s = 0, time.monotonic() + CONTENDED_S
    while True:
        try:
            return await following(call)
        except DoneElsewhere:
            call = replace(call, rules=(*call.rules, DONE_BEFORE))
        except Contended:
            if time.monotonic() > ends_s:
                return busy(call.tool.name)
            await asyncio.sleep(random.uniform(*_WAIT_S))  # noqa: S311  (no secret)
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
