"""Recall: a call that was made before is answered from the ledger.

It comes before all that decides whether a call may be made: LangGraph runs a node from its first
line whenever it goes on, so finished calls come again, and nobody is to be asked about them twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import gates, ledger
from penstock.contracts.call import Outcome, Refused
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.gate import Gate
from penstock.contracts.policy import RecordedDecision
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.amend import amended
from penstock.nodes.calls.call import Doubted, Next, ToolCall
from penstock.nodes.calls.known import outcome_of

Ahead = Callable[[Connection, ToolCall], RecordedDecision | Refused]
"""Asks what a call's policy says, in the look that finds out whether it has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    effect: Effect | None
    now: datetime | None
    """What the database's clock shows; only where there is an effect."""
    asked: Sequence[Gate]
    ahead: RecordedDecision | Refused | None


@dataclass(frozen=True, slots=True)
class Recall:
    """Answers from the ledger what is known."""

    acting: Acting
    ahead: Ahead

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Return what was recorded; let the call go on where nothing was, or it may be repeated.

        It goes on with the arguments that a person has put in place of its own, where one has.
        """
        found = await self.acting.store.read(lambda connection: self._look(connection, call))
        edited = amended(self.acting, call, found.asked)
        if isinstance(edited, Refused):
            return edited
        effect, now = found.effect, found.now
        if effect is None or now is None:
            return await following(replace(edited, asked=found.asked, ahead=found.ahead))
        call = replace(edited, asked=found.asked)
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

    def _look(self, connection: Connection, call: ToolCall) -> _Found:
        key = call.effect.key
        asked = gates.approvals_of(connection, key, run_id=self.acting.run.id)
        found = ledger.find_with_clock(connection, key)
        if found is not None:
            return _Found(effect=found[0], now=found[1], asked=asked, ahead=None)
        # One that waits at a gate may be made with other arguments.
        ahead = None if asked else self.ahead(connection, call)
        return _Found(effect=None, now=None, asked=asked, ahead=ahead)
