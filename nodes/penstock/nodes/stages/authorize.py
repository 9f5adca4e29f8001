"""Authorize: whether a call may happen is for its policy to say, and nobody is asked before."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from penstock.checkpoints import decisions, gates, ledger
from penstock.contracts.call import InDoubt, Outcome, Refused, Stage
from penstock.contracts.policy import RecordedDecision, Verdict
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Next, ToolCall
from penstock.nodes.calls.deciding import Deciding
from penstock.nodes.calls.known import outcome_of
from penstock.nodes.stages.trace import trace_decision


@dataclass(frozen=True, slots=True)
class Authorize:
    """Refuses what the policy denies; what it allows, or asks people about, goes on."""

    acting: Acting
    deciding: Deciding

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Have the policy decide, and take note of what the run has then read."""
        decided = call.ahead or await self.acting.store.read(
            lambda connection: self.deciding.decide_call(connection, call)
        )
        trace_decision(self.acting, call, decided)
        if isinstance(decided, Refused):
            outcome: Outcome = decided
        elif decided.decision.verdict is Verdict.DENY:
            self._record(call, decided)
            outcome = Refused(stage=Stage.POLICY, code="denied", message=decided.decision.message)
        else:
            try:
                outcome = await following(replace(call, decided=decided))
            finally:
                # Whatever came of it: an error too may say what somebody outside wrote.
                self.deciding.taint(call.tool.contract.taints)
        if isinstance(outcome, Refused) and call.begun is not None:
            return await self._doubt(call, outcome)
        return outcome

    def _record(self, call: ToolCall, decided: RecordedDecision) -> None:
        """Write a denial down, and take back what was asked; nobody waits for that."""
        at, worker = self.acting.clock.now(), self.acting.worker
        asked = [gate.id for gate in call.asked]

        def change(connection: Connection) -> None:
            decisions.record(connection, decided, actor=worker)
            if asked:
                gates.withdraw(connection, asked, at=at, actor=worker)

        self.acting.store.post(change)

    async def _doubt(self, call: ToolCall, refused: Refused) -> Outcome:
        """Ask people about a call that was begun when it was allowed, and may not be repeated now.

        What became of it is not known, and a refusal would say that nothing happened.
        """
        effect, at, worker = call.begun, self.acting.clock.now(), self.acting.worker
        if effect is None:
            return refused
        why = f"it was begun, and may not be repeated: {refused.message}"
        doubtful = await self.acting.store.write(
            lambda connection: ledger.doubt(
                connection, effect, call.effect, why=("not_repeated", why), at=at, actor=worker
            )
        )
        outcome = outcome_of(call, doubtful)
        return outcome if isinstance(outcome, InDoubt) else refused
