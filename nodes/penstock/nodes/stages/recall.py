"""Recall: a call that was made before is answered from the ledger.

It comes before all that decides whether a call may be made: LangGraph runs a node from its first
line whenever it goes on, so finished calls come again, and nobody is to be asked about them twice.
"""

from dataclasses import dataclass, replace

from penstock.checkpoints import ledger
from penstock.contracts.effect import EffectStatus
from penstock.contracts.outcome import Outcome
from penstock.nodes.acting import Acting
from penstock.nodes.call import Doubted, Next, ToolCall
from penstock.nodes.known import outcome_of


@dataclass(frozen=True, slots=True)
class Recall:
    """Answers from the ledger what is known."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Return what was recorded; let the call go on where nothing was, or it may be repeated."""
        key = call.effect.key
        found = await self.acting.store.read(
            lambda connection: ledger.find_with_clock(connection, key)
        )
        if found is None:
            return await following(call)
        effect, now = found
        is_same = effect.digest == call.effect.digest
        match effect.status:
            case EffectStatus.STARTED if is_same:
                return await following(call)
            case EffectStatus.FAILED if effect.error_retryable or not is_same:
                return await following(call)
            case EffectStatus.IN_DOUBT if is_same:
                doubted = Doubted(effect=effect, may_land=now < effect.settles_at)
                return await following(replace(call, doubted=doubted))
            case _:
                return outcome_of(call, effect)
