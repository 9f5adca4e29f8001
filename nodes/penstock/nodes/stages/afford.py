"""Afford: a call that exceeds the budget of its run does not begin, and people may raise it."""

from dataclasses import dataclass

from penstock.contracts.budget import AccountKind
from penstock.contracts.call import Outcome, Refused, Stage
from penstock.contracts.errors import OverBudget
from penstock.contracts.signals import BudgetExhausted
from penstock.nodes.calls.call import ApprovedCall, Next, ToolCall
from penstock.nodes.calls.claim import worst_cost
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import parking_interrupt
from penstock.nodes.gates.exhaustion import Resolution, resolve_exhaustion

FOR_TODAY = "over_day_budget"
"""The code of a refusal because the budget that a tenant has for a day is used up."""


@dataclass(frozen=True, slots=True)
class Afford:
    """Refuses a call that exceeds the budget, or asks people to raise it."""

    context: SegmentContext

    async def __call__(self, approved: ApprovedCall, following: Next[ApprovedCall]) -> Outcome:
        """Let the call go on; handle the case that its claim finds too little left.

        Raises:
            GraphInterrupt: The run is to wait until people have decided about its budget.
            BudgetExhausted: They have decided that it stops.
            GateExpired: They have not decided in time.
        """
        while True:
            try:
                return await following(approved)
            except OverBudget as error:
                refused = await self._resolve(approved.call, error)
            if refused is not None:
                return refused

    async def _resolve(self, call: ToolCall, error: OverBudget) -> Refused | None:
        """Return the refusal of a call that does not fit; None where it fits by now."""
        outcome = await self.context.store.write(
            lambda connection: resolve_exhaustion(connection, self.context, error, worst_cost(call))
        )
        gate = outcome.gate
        match outcome.resolution:
            case Resolution.FITS:
                return None
            case Resolution.WAIT if gate is not None:
                raise parking_interrupt(gate.id, f"the budget does not hold {call.tool.name}")
            case Resolution.STOP:
                raise BudgetExhausted(error)
            case _:
                code = FOR_TODAY if error.shortfall.kind is AccountKind.DAY else error.code
                return Refused(stage=Stage.BUDGET, code=code, message=str(error))
