"""A worker as the store knows it: what it says of itself, and whether it is heard of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.ids import RunId, WorkerId

LATE_BEATS = 2.5
"""A worker that has said nothing for so many of its beats is late."""


class WorkerState(StrEnum):
    """Whether a worker is heard of, as of now."""

    ALIVE = "alive"
    DRAINING = "draining"
    """Alive; it takes nothing more, and ends when what it drives has ended or waits."""
    LATE = "late"
    """Not heard of when it should have been: stopped, overloaded or dead."""
    GONE = "gone"
    """Not heard of for longer than its lease: its runs are taken over. It may come back."""
    ENDED = "ended"
    """It has said that it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorker:
    """What a worker says of itself."""

    id: WorkerId
    host: str
    pid: int
    version: str
    """Of Penstock."""
    graphs: Sequence[tuple[str, str]]
    """The graphs that it drives, each a name and a fingerprint."""
    slot_count: int
    """So many runs it drives at once."""
    beat_s: float
    """How often it says that it lives."""
    lease_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWorker:
    """A worker as it is stored, and how long it has said nothing."""

    id: WorkerId
    host: str
    pid: int
    version: str
    graphs: Sequence[tuple[str, str]]
    slot_count: int
    beat_s: float
    lease_s: float
    started_at: datetime
    seen_at: datetime
    """When it last said that it lives, by the database's clock; nobody else says so."""
    silent_s: float
    """How long ago that was, by the same clock."""
    drain_by: str | None
    """Who asked it to drain."""
    drain_at: datetime | None
    ended_at: datetime | None

    @property
    def state(self) -> WorkerState:
        """Whether it is heard of."""
        if self.ended_at is not None:
            return WorkerState.ENDED
        if self.silent_s > self.lease_s:
            return WorkerState.GONE
        if self.silent_s > LATE_BEATS * self.beat_s:
            return WorkerState.LATE
        return WorkerState.ALIVE if self.drain_by is None else WorkerState.DRAINING

    @property
    def is_taking(self) -> bool:
        """Whether it may take queued runs."""
        return self.state in {WorkerState.ALIVE, WorkerState.LATE} and self.drain_by is None

    def serves(self, graph: str, fingerprint: str) -> bool:
        """Tell whether it drives runs that were started with this form of a graph."""
        return (graph, fingerprint) in self.graphs


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRuns:
    """The queued runs of one form of a graph that a tenant has."""

    graph: str
    graph_version: str
    fingerprint: str
    count: int
    oldest_at: datetime
    """Since when the one waits that waits longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRun:
    """A run that was taken from a worker which was not heard of in time."""

    run_id: RunId
    worker_id: WorkerId
    at: datetime
    by: WorkerId
    """The worker that noticed it."""
