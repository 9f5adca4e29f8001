"""A run that a worker drives, and why it stops."""

import asyncio
import time
from dataclasses import dataclass
from enum import Enum, auto

from penstock.contracts.run import Failure, FailureCode, Fence
from penstock.nodes.calls.halt import Halt
from penstock.runs.segment import Segment


class Why(Enum):
    """Why a worker stops driving a run."""

    LOST = auto()
    CANCELLED = auto()
    DRAINED = auto()
    SILENT = auto()
    PAUSED = auto()
    LATE = auto()


_HALTING = {
    Why.CANCELLED: "its run was cancelled",
    Why.LATE: "the time of its run was over",
}
"""What cannot wait for the calls that are under way, and what these are told."""


STUBBORN_S = 15.0
"""A run that should have stopped at once so long ago, and has not, is left to other workers."""


@dataclass(slots=True, kw_only=True)
class Driving:
    """One of the runs of a worker."""

    fence: Fence
    segment: Segment
    progress_s: float
    halt: Halt
    task: "asyncio.Task[None]"
    why: Why | None = None
    """Set before the task is cancelled."""
    _timer: asyncio.TimerHandle | None = None
    _halted_s: float | None = None

    def stop(self, why: Why) -> None:
        """Stop driving it; the first reason is the one that counts.

        A run that is cancelled, or late, does not wait for its calls either, whatever came first.
        """
        if why in _HALTING:
            self.halt.ask(_HALTING[why])
            self._halted_s = self._halted_s or time.monotonic()
        if self.why is None:
            self.why = why
            self.task.cancel()

    @property
    def is_stubborn(self) -> bool:
        """Whether one of its nodes does not let itself be stopped. From any thread."""
        halted_s = self._halted_s
        return halted_s is not None and time.monotonic() - halted_s > STUBBORN_S

    def end_after(self, left_s: float) -> None:
        """Stop driving it as late when its time is over."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(left_s, 0.0), self.stop, Why.LATE)

    def over(self) -> None:
        """Forget its time: it is not driven any more."""
        if self._timer is not None:
            self._timer.cancel()


def silence(driving: Driving) -> Failure:
    """Return what a run fails with of which nothing is heard."""
    nodes = _where(driving)
    return Failure(
        code=FailureCode.DEADLINE_EXCEEDED,
        message=(
            f"nothing was heard of {nodes} for {driving.progress_s:g} s; look at what it waits"
            " for, give it a timeout of its own or the graph a longer `progress_s`, and redrive"
            " the run"
        ),
        redrivable=True,
    )


def lateness(driving: Driving, deadline_s: float | None) -> Failure:
    """Return what a run fails with whose time is over."""
    allowed = "its deadline" if deadline_s is None else f"its deadline of {deadline_s:g} s"
    return Failure(
        code=FailureCode.DEADLINE_EXCEEDED,
        message=(
            f"{allowed} came in {_where(driving)}; look at what takes so long, and redrive the run:"
            " it goes on from its last checkpoint, and its time begins anew. Where it is right that"
            " it takes longer, give its graph or the next run a longer `deadline_s`"
        ),
        redrivable=True,
    )


def _where(driving: Driving) -> str:
    return ", ".join(f"`{node}`" for node in driving.segment.running) or "its graph"
