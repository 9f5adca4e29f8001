"""A run that a worker drives, and why it stops."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

from penstock.contracts.run import Failure, FailureCode, Fence
from penstock.runs.segment import Segment


class Why(Enum):
    """Why a worker stops driving a run."""

    LOST = auto()
    CANCELLED = auto()
    DRAINED = auto()
    SILENT = auto()


@dataclass(slots=True, kw_only=True)
class Driving:
    """One of the runs of a worker."""

    fence: Fence
    segment: Segment
    progress_s: float
    task: "asyncio.Task[None]"
    why: Why | None = None
    """Set before the task is cancelled."""

    def stop(self, why: Why) -> None:
        """Stop driving it; the first reason is the one that counts."""
        if self.why is None:
            self.why = why
            self.task.cancel()


def silence(driving: Driving) -> Failure:
    """Return what a run fails with of which nothing is heard."""
    nodes = ", ".join(f"`{node}`" for node in driving.segment.running) or "its graph"
    return Failure(
        code=FailureCode.DEADLINE_EXCEEDED,
        message=(
            f"nothing was heard of {nodes} for {driving.progress_s:g} s; look at what it waits"
            " for, give it a timeout of its own or the graph a longer `progress_s`, and redrive"
            " the run"
        ),
        redrivable=True,
    )
