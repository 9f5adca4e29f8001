"""Lineage: what a thread has done, its copy does not do again unasked."""

from dataclasses import dataclass, replace

from penstock.checkpoints import ledger
from penstock.contracts.gate import OPERATORS
from penstock.contracts.outcome import Outcome
from penstock.contracts.policy import GateRule
from penstock.contracts.tool import EffectClass
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Next, ToolCall

DONE_BEFORE = GateRule(id="done-before-the-copy", group=OPERATORS, may_confirm_self=True)
"""What a call needs that the thread has made before it was copied."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Has people asked about a call that the thread this one was copied from has made."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on; to a gate where the same was done before the threads parted."""
        new = call.effect
        if new.effect is EffectClass.READ or new.lineage == new.thread_id:
            return await following(call)
        done = await self.acting.store.read(lambda connection: ledger.elsewhere(connection, new))
        if done is None:
            return await following(call)
        return await following(replace(call, rules=(*call.rules, DONE_BEFORE)))
