"""Afford: what the budget of a run does not hold is not begun."""

from dataclasses import dataclass

from penstock.contracts.budget import AccountKind
from penstock.contracts.errors import OverBudget
from penstock.contracts.outcome import Outcome, Refused, Stage
from penstock.nodes.call import Next, ToolCall

FOR_TODAY = "over_day_budget"
"""The code of a refusal that counts for a day, since what a tenant may use in one is used up."""


@dataclass(frozen=True, slots=True)
class Afford:
    """Refuses what does not fit; what fits is reserved where the call is claimed."""

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on, and refuse it where its claim finds too little left."""
        try:
            return await following(call)
        except OverBudget as error:
            code = FOR_TODAY if error.shortfall.kind is AccountKind.DAY else error.code
            return Refused(stage=Stage.BUDGET, code=code, message=str(error))
