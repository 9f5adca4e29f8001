"""States in words, colours and signs: of runs, steps, calls and workers, and classes of tools."""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.contracts.effect import EffectStatus
from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.contracts.step import StepStatus
from penstock.contracts.tool import EffectClass
from penstock.contracts.worker import WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMark:
    """How the state of a run looks."""

    name: str
    colour: str
    icon: str
    sign: str
    """For places that hold plain text only."""

    def text(self, run: Run) -> str:
        """Return the state of a run in plain text."""
        if run.status in LIVE and run.pause_by is not None:
            return "◌ paused"
        if run.status is RunStatus.RUNNING and run.cancel_by is not None:
            return "◌ stopping"
        return f"{self.sign} {self.name.lower()}"

    def badge(self) -> str:
        """Return the state as a badge."""
        return badge(self.colour, self.name.lower(), self.icon)


RUN_STATES: Mapping[RunStatus, RunMark] = {
    RunStatus.QUEUED: RunMark(name="Queued", colour="blue", icon="schedule", sign="○"),
    RunStatus.RUNNING: RunMark(name="Running", colour="blue", icon="play_circle", sign="▶"),
    RunStatus.WAITING: RunMark(name="Waiting", colour="orange", icon="front_hand", sign="◐"),
    RunStatus.SUCCEEDED: RunMark(name="Succeeded", colour="green", icon="check_circle", sign="✓"),
    RunStatus.FAILED: RunMark(name="Failed", colour="red", icon="error", sign="✗"),
    RunStatus.CANCELLED: RunMark(name="Cancelled", colour="gray", icon="cancel", sign="⊘"),
}

STEP_STATES: Mapping[StepStatus, tuple[str, str]] = {
    StepStatus.STARTED: ("blue", "▶ started"),
    StepStatus.SUCCEEDED: ("green", "✓ succeeded"),
    StepStatus.PARKED: ("orange", "◐ parked"),
    StepStatus.FAILED: ("red", "✗ failed"),
}
"""A colour, and a sign with a word."""

STEP_ICONS: Mapping[StepStatus, str] = {
    StepStatus.STARTED: ":blue[:material/play_circle:]",
    StepStatus.SUCCEEDED: ":green[:material/check_circle:]",
    StepStatus.FAILED: ":red[:material/error:]",
    StepStatus.PARKED: ":orange[:material/pause_circle:]",
}
"""As Markdown, for the line of a step."""

CALL_STATES: Mapping[EffectStatus, tuple[str, str]] = {
    EffectStatus.STARTED: ("blue", "▶ under way"),
    EffectStatus.SUCCEEDED: ("green", "✓ happened"),
    EffectStatus.FAILED: ("red", "✗ did not happen"),
    EffectStatus.IN_DOUBT: ("orange", "? in doubt"),
    EffectStatus.COMPENSATED: ("violet", "↺ undone"),
}
"""A colour, and a sign with words."""

TOOL_CLASSES: Mapping[str, tuple[str, str]] = {
    EffectClass.READ: ("gray", "only reads"),
    EffectClass.IDEMPOTENT: ("gray", "can be repeated"),
    EffectClass.TRANSACTIONAL: ("gray", "in our own database"),
    EffectClass.KEYED: ("orange", "acts outside, once by its key"),
    EffectClass.PROBE: ("orange", "acts outside, can be looked up"),
    EffectClass.UNSAFE: ("red", "acts outside, cannot be looked up"),
}
"""How careful one has to be with a tool of a class, as a colour and in words."""

WORKER_STATES: Mapping[WorkerState, tuple[str, str]] = {
    WorkerState.ALIVE: ("green", "check_circle"),
    WorkerState.DRAINING: ("violet", "hourglass_bottom"),
    WorkerState.LATE: ("orange", "warning"),
    WorkerState.GONE: ("red", "heart_broken"),
    WorkerState.ENDED: ("gray", "stop_circle"),
}
"""A colour and an icon."""


def badge(colour: str, text: str, icon: str | None = None) -> str:
    """Return a badge as Markdown; the text is the pages' own, or escaped already."""
    symbol = f":material/{icon}: " if icon else ""
    return f":{colour}-badge[{symbol}{text}]"
