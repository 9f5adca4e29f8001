"""Recall: a call that was made before is answered from the ledger.

It comes before every stage that decides whether a call may be made. LangGraph runs a node from its
first line whenever the run goes on, so finished calls come again, and nobody is to be asked about
them twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import gates, ledger
from penstock.contracts.call import Outcome, Refused
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.gate import Gate
from penstock.contracts.policy import RecordedDecision
from penstock.nodes.calls.admission import edit_of, with_edit
from penstock.nodes.calls.call import Next, RecalledCall, ToolCall
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import outcome_of

Decide = Callable[[Connection, ToolCall], RecordedDecision | Refused]
"""Asks the policy of a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    effect: Effect | None
    now: datetime | None
    """The time by the database's clock; only where there is an effect."""
    gates: Sequence[Gate]
    decision: RecordedDecision | Refused | None


@dataclass(frozen=True, slots=True)
class Recall:
    """Answers a call from the ledger, where its outcome is known.

    The policy of a new call is asked in the same read of the store.
    """

    context: SegmentContext
    decide: Decide

    async def __call__(self, call: ToolCall, following: Next[RecalledCall]) -> Outcome:
        """Return the recorded outcome, or let the call go on where it may be made or repeated.

        It goes on with the arguments that a person has put in place of its own, where one has.
        """
        found = await self.context.store.read(lambda connection: self._read(connection, call))
        edit = edit_of(call, found.gates)
        if edit is not None:
            edited = with_edit(self.context, call, edit)
            if isinstance(edited, Refused):
                return edited
            call = edited
        effect, now = found.effect, found.now
        may_land = effect is not None and now is not None and now < effect.settles_at
        if effect is not None and not _may_go_on(call, effect):
            return outcome_of(call, effect)
        return await following(
            RecalledCall(
                call=call,
                edit=edit,
                gates=found.gates,
                effect=effect,
                may_land=may_land,
                decision=found.decision,
            )
        )

    def _read(self, connection: Connection, call: ToolCall) -> _Found:
        key = call.effect.key
        asked = gates.approvals_of(connection, key, run_id=self.context.run.id)
        found = ledger.find_with_clock(connection, key)
        if found is not None:
            return _Found(effect=found[0], now=found[1], gates=asked, decision=None)
        # A call that waits at a gate may be made with other arguments.
        decision = None if asked else self.decide(connection, call)
        return _Found(effect=None, now=None, gates=asked, decision=decision)


def _may_go_on(call: ToolCall, effect: Effect) -> bool:
    """Tell whether the outcome of a call is open, or the call may be made again."""
    is_same = effect.digest == call.effect.digest
    match effect.status:
        case EffectStatus.STARTED | EffectStatus.IN_DOUBT:
            return is_same
        case EffectStatus.FAILED:
            return effect.error_retryable or not is_same
        case _:
            return False
