"""Lineage: what a thread has done, none that shares its lineage does again unasked."""

from dataclasses import dataclass, replace

from penstock.checkpoints import ledger
from penstock.contracts.call import Outcome
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Next, ToolCall
from penstock.nodes.calls.past import DONE_BEFORE, may_have_past


@dataclass(frozen=True, slots=True)
class Lineage:
    """Has people asked about a call that another thread of the lineage has made."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on; to a gate where another thread has done the same."""
        if DONE_BEFORE in call.rules or not may_have_past(call):
            return await following(call)
        done = await self.acting.store.read(
            lambda connection: ledger.find_in_lineage(connection, call.effect)
        )
        if done is None:
            return await following(call)
        return await following(replace(call, rules=(*call.rules, DONE_BEFORE)))
