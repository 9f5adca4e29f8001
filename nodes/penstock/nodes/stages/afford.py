"""Afford: what the budget of a run does not hold is not begun, and people may raise it."""

from dataclasses import dataclass

from penstock.contracts.budget import AccountKind
from penstock.contracts.call import Outcome, Refused, Stage
from penstock.contracts.errors import OverBudget
from penstock.contracts.signals import BudgetExhausted
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Next, ToolCall
from penstock.nodes.calls.costs import worst_of
from penstock.nodes.gates import exhaustion
from penstock.nodes.gates.parking import parked

FOR_TODAY = "over_day_budget"
"""The code of a refusal that counts for a day, since what a tenant may use in one is used up."""


@dataclass(frozen=True, slots=True)
class Afford:
    """Refuses what does not fit, or asks for more; what fits is reserved where it is claimed."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on; see to it where its claim finds too little left.

        Raises:
            GraphInterrupt: The run is to wait until people have said what becomes of its budget.
            BudgetExhausted: They have said that it stops.
            GateExpired: They have said nothing in time.
        """
        while True:
            try:
                return await following(call)
            except OverBudget as error:
                refused = await self._judge(call, error)
            if refused is not None:
                return refused

    async def _judge(self, call: ToolCall, error: OverBudget) -> Refused | None:
        """Return what a call comes to that does not fit; None where it fits by now."""
        verdict = await self.acting.store.write(
            lambda connection: exhaustion.judge(connection, self.acting, error, worst_of(call))
        )
        gate = verdict.gate
        match verdict.next:
            case exhaustion.Next.FITS:
                return None
            case exhaustion.Next.WAIT if gate is not None:
                raise parked(gate.id, f"the budget does not hold {call.tool.name}")
            case exhaustion.Next.STOP:
                raise BudgetExhausted(error)
            case _:
                code = FOR_TODAY if error.shortfall.kind is AccountKind.DAY else error.code
                return Refused(stage=Stage.BUDGET, code=code, message=str(error))
