"""Makes and moves runs where no driver does."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit, gates, leases, runs
from penstock.contracts.ids import RunId, ThreadId, WorkerId, new_run_id
from penstock.contracts.run import Fence, NewRun, RunStatus, WhenBusy

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


class Runs:
    """Makes and moves runs without a driver."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start(
        self,
        thread_id: str,
        *,
        graph: str = "demo",
        tenant: str = "acme",
        parent_id: RunId | None = None,
    ) -> Fence:
        """Queue a run on a thread and claim it."""
        new = NewRun(
            id=new_run_id(NOW),
            tenant=tenant,
            key=None,
            thread_id=ThreadId(thread_id),
            graph=graph,
            graph_version="1",
            fingerprint="f",
            input="{}",
            parent_id=parent_id,
        )
        self._store.write_blocking(
            lambda connection: runs.create(
                connection, new, when_busy=WhenBusy.WAIT, at=NOW, actor="test"
            )
        )
        return self.claim(Fence(run_id=new.id, epoch=0))

    def claim(self, fence: Fence) -> Fence:
        """Claim a queued run for another worker."""
        worker = WorkerId(f"worker-{fence.epoch + 1}")
        claimed = self._store.write_blocking(
            lambda connection: runs.claim(connection, fence.run_id, worker, lease_s=60, at=NOW)
        )
        assert claimed is not None
        return claimed.fence

    def move(self, fence: Fence, to: RunStatus) -> None:
        """Move a run under its fence."""
        self._store.write_blocking(
            lambda connection: runs.move(connection, fence, to, at=NOW, actor="test")
        )

    def take_over(self, fence: Fence) -> Fence:
        """Declare the run's worker dead and claim the run for another."""
        self.move(fence, RunStatus.QUEUED)
        return self.claim(fence)

    def park(self, fence: Fence) -> None:
        """Let a run wait."""
        self.move(fence, RunStatus.WAITING)

    def due(self, fence: Fence) -> Sequence[RunId]:
        """Return the run if it is to go on to look for itself; told once, as to a sweep."""
        found = self._store.write_blocking(lambda connection: gates.due(connection, limit=100))
        return [run_id for run_id in found if run_id == fence.run_id]

    def told(self, fence: Fence) -> Sequence[str]:
        """Return what the audit tells of a run."""
        events = self._store.read_blocking(lambda tx: audit.of_run(tx, fence.run_id))
        return [event.action for event in events]


def lose(store: Store, run_id: RunId) -> None:
    """Have a worker claim a run and be lost with it."""

    def change(connection: Connection) -> None:
        claimed = runs.claim(connection, run_id, WorkerId("lost-1"), lease_s=-1.0, at=NOW)
        assert claimed is not None
        leases.sweep(connection, lost_limit=5, at=NOW, actor="test")

    store.write_blocking(change)
