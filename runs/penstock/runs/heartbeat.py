"""The heartbeat of a worker: it prolongs the leases of its runs and sees requests to stop them."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from penstock.checkpoints import Store, leases, workers
from penstock.contracts.errors import StoreError
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence
from penstock.contracts.worker import NewWorker
from penstock.nodes.calls.context import Halt
from penstock.runs.pace import Pace
from penstock.runs.segment import Segment

log = logging.getLogger(__name__)

CHECKS_PER_BEAT = 2
"""So often per beat a worker looks for requests to stop its runs; each beat is one of them."""

BLOCKED_S = 2.0
"""An event loop that has handled no beat for so long is blocked by a node."""

STOP_GRACE_S = 15.0
"""A run that should have stopped at once so long ago, and has not, is left to other workers."""

_STUCK_BEATS = 5
"""A run that should have failed so many beats ago, and has not, is left to other workers."""


class StopReason(Enum):
    """Why a worker stops driving a run."""

    LOST = auto()
    """Another worker drives it."""
    CANCELLED = auto()
    DRAINED = auto()
    STALLED = auto()
    """It made no progress for too long."""
    PAUSED = auto()
    LATE = auto()
    """Its deadline has passed."""


_HALTS = {
    StopReason.CANCELLED: "its run was cancelled",
    StopReason.LATE: "the time of its run was over",
}
"""The reasons that do not wait for the calls in progress, and what these calls are told."""


@dataclass(slots=True, kw_only=True)
class DrivenRun:
    """A run that a worker drives."""

    fence: Fence
    segment: Segment
    progress_s: float
    """It fails when it makes no progress for so long."""
    halt: Halt
    task: "asyncio.Task[None]"
    stop_reason: StopReason | None = None
    """Set before the task is cancelled."""
    _timer: asyncio.TimerHandle | None = None
    _halted_s: float | None = None

    def stop(self, reason: StopReason) -> None:
        """Stop driving it; the first reason is the one that counts.

        A run that is cancelled or late does not wait for its calls, whatever reason came first.
        """
        if reason in _HALTS:
            self.halt.request(_HALTS[reason])
            self._halted_s = self._halted_s or time.monotonic()
        if self.stop_reason is None:
            self.stop_reason = reason
            self.task.cancel()

    @property
    def ignores_stop(self) -> bool:
        """Whether one of its nodes cannot be stopped. From any thread."""
        halted_s = self._halted_s
        return halted_s is not None and time.monotonic() - halted_s > STOP_GRACE_S

    def start_deadline(self, left_s: float) -> None:
        """Stop it as late after so many seconds."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(left_s, 0.0), self.stop, StopReason.LATE)

    def cancel_deadline(self) -> None:
        """Cancel the timer of the deadline: the run is not driven any more."""
        if self._timer is not None:
            self._timer.cancel()


class Heartbeat:
    """Beats for a worker in a thread of its own, and hands what it learns to the worker's loop."""

    def __init__(
        self,
        store: Store,
        worker: NewWorker,
        pace: Pace,
        driven: Mapping[RunId, DrivenRun],
        *,
        drain: Callable[[], None],
    ) -> None:
        """Beat for the runs in `driven`, which changes meanwhile.

        When somebody asks the worker to drain, `drain` is called, in the thread of the beats.
        """
        self._store = store
        self._worker = worker
        self._pace = pace
        self._driven = driven
        self._drain = drain
        self._is_drain_requested = False
        self._has_failed_to_show = False
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._unhandled_since: float | None = None
        """When the oldest beat was handed to the loop that the loop has not handled yet."""
        self._is_block_logged = False

    def begin(self) -> None:
        """Prepare the first beat of a worker, and write its row."""
        self._ended.clear()
        self._woken.clear()
        self._store.post(self._show)

    def check_now(self) -> None:
        """Look for requests to stop runs now. From any thread."""
        self._woken.set()

    def end(self) -> None:
        """End the beats. From any thread."""
        self._ended.set()
        self._woken.set()

    def record_end(self) -> None:
        """Write into the worker's row that it has ended; it ends all the same if that fails."""
        with contextlib.suppress(StoreError):
            self._store.post(lambda connection: workers.end(connection, self._worker.id))

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Prolong the leases until `end`, in a thread that no node can block.

        The lease of a run is not prolonged when the run should have failed for lack of progress
        long ago (its loop is blocked, so only another worker can take it over), or when it should
        have stopped at once and its node holds on. A blocked loop is logged. Between two beats, and
        when `check_now` is called, requests to stop runs are only read: that is no commit.
        """
        grace_s = _STUCK_BEATS * self._pace.beat_s
        next_s = shows_s = time.monotonic() + self._pace.beat_s
        while not self._ended.is_set():
            self._woken.wait(self._pace.beat_s / CHECKS_PER_BEAT)
            self._woken.clear()
            if self._ended.is_set():
                return
            if time.monotonic() < next_s:
                self._check(loop)
                continue
            now_s = time.monotonic()
            next_s = now_s + self._pace.beat_s
            driven = {
                run_id: run
                for run_id, run in tuple(self._driven.items())
                if run.segment.idle_s < run.progress_s + grace_s and not run.ignores_stop
            }
            shown = None
            if now_s >= shows_s:
                # Handed in first, it is in the same commit; a change of its own, it can fail alone.
                shown = self._store.post(self._show)
                shows_s = now_s + self._worker.beat_s
            held = self._store.write_blocking(
                lambda connection, driven=driven: leases.beat(
                    connection, self._worker.id, list(driven), lease_s=self._pace.lease_s
                )
            )
            if shown is not None:
                self._read_request(shown)
            if not self._ended.is_set():
                self._log_blocked()
                loop.call_soon_threadsafe(self._apply, driven, held)
                self._unhandled_since = self._unhandled_since or time.monotonic()

    def _show(self, connection: Connection) -> str | None:
        """Update the worker's row; return who has asked it to drain."""
        return workers.check_in(connection, self._worker)

    def _read_request(self, shown: "Future[str | None]") -> None:
        """Drain if somebody has asked for it. A row that cannot be updated is logged once."""
        if (error := shown.exception()) is not None:
            if not self._has_failed_to_show:
                log.warning("the worker works, but cannot show that it does: %s", error)
            self._has_failed_to_show = True
            return
        self._has_failed_to_show = False
        by = shown.result()
        if by is not None and not self._is_drain_requested:
            self._is_drain_requested = True
            log.info("%s asked the worker to drain: it ends when its runs have ended or wait", by)
            self._drain()

    def _log_blocked(self) -> None:
        """Log once that the loop has left a beat unhandled for longer than the next one."""
        since = self._unhandled_since
        blocked_s = 0.0 if since is None else time.monotonic() - since
        if self._is_block_logged or blocked_s < max(self._pace.beat_s, BLOCKED_S):
            return
        self._is_block_logged = True
        named = [
            f"run {run_id} in {', '.join(run.segment.running) or 'its graph'}"
            for run_id, run in tuple(self._driven.items())
        ]
        log.warning(
            "the event loop has been blocked for %.1f s, and with it %s: a node that waits without"
            " `await` is to be no coroutine, so that it has a thread of its own",
            blocked_s,
            "; ".join(named) or "nothing",
        )

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read the requests to stop runs, and have the loop stop those runs."""
        driven = dict(self._driven)
        if not driven:
            return
        try:
            held = self._store.read_blocking(
                lambda connection: leases.held_by(connection, self._worker.id)
            )
        except StoreError as error:
            # The next beat reads them too, and raises if the store is gone for good.
            log.warning("what was asked of the runs could not be seen: %s", error)
            return
        by_fence = {lease.fence: lease for lease in held}
        for run in driven.values():
            lease = by_fence.get(run.fence)
            if lease is not None and (reason := _requested(lease)) is not None:
                loop.call_soon_threadsafe(run.stop, reason)

    def _apply(self, driven: dict[RunId, DrivenRun], held: Sequence[leases.HeldRun]) -> None:
        """Stop, in the loop, the runs that are lost, cancelled, paused or stalled."""
        self._unhandled_since = None
        self._is_block_logged = False
        by_fence = {lease.fence: lease for lease in held}
        for run in driven.values():
            if run.fence not in by_fence:
                run.stop(StopReason.LOST)
            elif (reason := _requested(by_fence[run.fence])) is not None:
                run.stop(reason)
            elif run.segment.idle_s > run.progress_s:
                run.stop(StopReason.STALLED)
            else:
                run.segment.write_running()


def _requested(lease: leases.HeldRun) -> StopReason | None:
    """Return the stop that was requested of a driven run; None if none was."""
    if lease.cancel_by is not None:
        return StopReason.CANCELLED
    return StopReason.PAUSED if lease.is_paused else None
