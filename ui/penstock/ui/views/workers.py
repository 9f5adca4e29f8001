"""Views of workers: who drives runs, and which queued runs nobody takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.contracts.run import Run
from penstock.contracts.worker import KnownWorker, QueuedRuns
from penstock.ui.views.documents import extended


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedGraph:
    """A graph that a worker drives, in one form."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A worker."""

    id: str
    state: str
    host: str
    pid: int
    version: str
    graphs: Sequence[ServedGraph]
    slot_count: int
    beat_s: float
    lease_s: float
    started_at: datetime
    seen_at: datetime
    silent_s: float
    drain_by: str | None
    drain_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedWorker(WorkerView):
    """A worker, and the ids of the runs that it drives."""

    runs: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRunsView:
    """Queued runs of one form of a graph."""

    graph: str
    graph_version: str
    fingerprint: str
    count: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDocument:
    """A worker that was acted on."""

    worker: WorkerView


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerList:
    """The workers of the last day."""

    workers: Sequence[ListedWorker]
    nobody_takes: Sequence[QueuedRunsView]
    """Queued runs that no living worker has the graph for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedWorker:
    """A worker that has ended."""

    worker_id: str
    ended: str
    """How."""


def worker_view(worker: KnownWorker) -> WorkerView:
    """Return the view of a worker."""
    return WorkerView(
        id=worker.id,
        state=worker.state,
        host=worker.host,
        pid=worker.pid,
        version=worker.version,
        graphs=[
            ServedGraph(name=name, fingerprint=fingerprint) for name, fingerprint in worker.graphs
        ],
        slot_count=worker.slot_count,
        beat_s=worker.beat_s,
        lease_s=worker.lease_s,
        started_at=worker.started_at,
        seen_at=worker.seen_at,
        silent_s=worker.silent_s,
        drain_by=worker.drain_by,
        drain_at=worker.drain_at,
        ended_at=worker.ended_at,
    )


def listed_worker(worker: KnownWorker, runs: Sequence[Run]) -> ListedWorker:
    """Return the view of a worker with the runs that it drives."""
    return extended(worker_view(worker), ListedWorker, runs=[run.id for run in runs])


def queued_runs_view(queued: QueuedRuns) -> QueuedRunsView:
    """Return the view of queued runs of one form of a graph."""
    return QueuedRunsView(
        graph=queued.graph,
        graph_version=queued.graph_version,
        fingerprint=queued.fingerprint,
        count=queued.count,
        oldest_at=queued.oldest_at,
    )
