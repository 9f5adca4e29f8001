"""Lineage: what a thread has done, its copy does not do again unasked."""

from dataclasses import dataclass

from penstock.checkpoints import ledger
from penstock.contracts.outcome import Outcome, Refused, Stage
from penstock.contracts.tool import EffectClass
from penstock.nodes.acting import Acting
from penstock.nodes.call import Next, ToolCall


@dataclass(frozen=True, slots=True)
class Lineage:
    """Refuses a call that the thread this one was copied from has made with the same arguments."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on where nothing like it was done before the threads parted."""
        new = call.effect
        if new.effect is EffectClass.READ or new.lineage == new.thread_id:
            return await following(call)
        done = await self.acting.store.read(lambda connection: ledger.elsewhere(connection, new))
        if done is None:
            return await following(call)
        return Refused(
            stage=Stage.GATE,
            code="done_before_the_copy",
            message=(
                f"thread `{done.thread_id}`, of which this one is a copy, called `{new.tool}` with"
                f" the same arguments in run `{done.run_id}`, where it is {done.status}"
            ),
        )
