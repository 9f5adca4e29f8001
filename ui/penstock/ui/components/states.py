"""The states of runs and effects, in words, colours and signs."""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.ui.components.words import badge


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How a state looks."""

    name: str
    colour: str
    icon: str
    sign: str
    """For places that hold plain text only."""

    def said(self, run: Run) -> str:
        """Return the state of a run in plain text."""
        if run.status in LIVE and run.pause_by is not None:
            return "◌ paused"
        if run.status is RunStatus.RUNNING and run.cancel_by is not None:
            return "◌ stopping"
        return f"{self.sign} {self.name.lower()}"

    def badge(self) -> str:
        """Return it as a badge."""
        return badge(self.colour, self.name.lower(), self.icon)


MARKS: Mapping[RunStatus, Mark] = {
    RunStatus.QUEUED: Mark(name="Queued", colour="blue", icon="schedule", sign="○"),
    RunStatus.RUNNING: Mark(name="Running", colour="blue", icon="play_circle", sign="▶"),
    RunStatus.WAITING: Mark(name="Waiting", colour="orange", icon="front_hand", sign="◐"),
    RunStatus.SUCCEEDED: Mark(name="Succeeded", colour="green", icon="check_circle", sign="✓"),
    RunStatus.FAILED: Mark(name="Failed", colour="red", icon="error", sign="✗"),
    RunStatus.CANCELLED: Mark(name="Cancelled", colour="gray", icon="cancel", sign="⊘"),
}
