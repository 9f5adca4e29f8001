"""Recall: a call that was made before is answered from the ledger.

It comes before all that decides whether a call may be made: LangGraph runs a node from its first
line whenever it goes on, so finished calls come again, and nobody is to be asked about them twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import gates, ledger
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.gate import Gate
from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.contracts.outcome import Outcome, Refused
from penstock.nodes.acting import Acting
from penstock.nodes.amend import amended
from penstock.nodes.call import Doubted, Next, ToolCall
from penstock.nodes.known import outcome_of

_Found = tuple[tuple[Effect, datetime] | None, Sequence[Gate]]


@dataclass(frozen=True, slots=True)
class Recall:
    """Answers from the ledger what is known."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Return what was recorded; let the call go on where nothing was, or it may be repeated.

        It goes on with the arguments that a person has put in place of its own, where one has.
        """
        key, run_id = call.effect.key, self.acting.run.id
        found, asked = await self.acting.store.read(
            lambda connection: _look(connection, key, run_id)
        )
        edited = amended(self.acting, call, asked)
        if isinstance(edited, Refused):
            return edited
        call = replace(edited, asked=asked)
        if found is None:
            return await following(call)
        effect, now = found
        is_same = effect.digest == call.effect.digest
        match effect.status:
            case EffectStatus.STARTED if is_same:
                return await following(replace(call, begun=effect))
            case EffectStatus.FAILED if effect.error_retryable or not is_same:
                return await following(call)
            case EffectStatus.IN_DOUBT if is_same:
                doubted = Doubted(effect=effect, may_land=now < effect.settles_at)
                return await following(replace(call, doubted=doubted))
            case _:
                return outcome_of(call, effect)


def _look(connection: Connection, key: IdempotencyKey, run_id: RunId) -> _Found:
    asked = gates.approvals_of(connection, key, run_id=run_id)
    return ledger.find_with_clock(connection, key), asked
