"""Simulate: in a run that only simulates, nothing but reading leaves the process."""

from dataclasses import dataclass

from penstock.contracts.call import Outcome, Refused, Stage
from penstock.contracts.run import RunMode
from penstock.contracts.tool import EffectClass
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Next, ToolCall


@dataclass(frozen=True, slots=True)
class Simulate:
    """Refuses whatever might change something, where the run is to change nothing."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on in a live run, and where it reads."""
        is_live = self.acting.run.mode is RunMode.LIVE
        if is_live or call.effect.effect is EffectClass.READ:
            return await following(call)
        return Refused(
            stage=Stage.CONTRACT,
            code="simulated",
            message=(
                f"the run only simulates: `{call.tool.name}` was not called, and its arguments fit"
            ),
        )
