"""Makes and moves runs where no driver does."""

from datetime import UTC, datetime

from penstock.checkpoints import Store, runs
from penstock.contracts.ids import ThreadId, WorkerId, new_run_id
from penstock.contracts.run import Fence, NewRun, RunStatus, WhenBusy

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


class Runs:
    """Makes and moves runs without a driver."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start(self, thread_id: str) -> Fence:
        """Queue a run on a thread and claim it."""
        new = NewRun(
            id=new_run_id(NOW),
            tenant="acme",
            key=None,
            thread_id=ThreadId(thread_id),
            graph="demo",
            graph_version="1",
            fingerprint="f",
            input="{}",
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
