"""Signs of life of a worker: its leases are prolonged, and what was asked of its runs is seen.

A run that a worker drives, and why it stops.
"""

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
from penstock.contracts.run import Failure, FailureCode, Fence
from penstock.contracts.worker import NewWorker
from penstock.nodes.calls.context import Halt
from penstock.runs.pace import Pace
from penstock.runs.segment import Segment

STUBBORN_S = 15.0
"""A run that should have stopped at once so long ago, and has not, is left to other workers."""

log = logging.getLogger(__name__)

LOOKS_PER_BEAT = 2
"""So often a worker looks for what was asked of its runs; each beat is one of the looks."""

BLOCKED_S = 2.0
"""An event loop that hears of no beat for so long is blocked by somebody."""

_STUCK_BEATS = 5
"""A run that should have failed so many beats ago, and has not, is left to other workers."""


class StopReason(Enum):
    """Why a worker stops driving a run."""

    LOST = auto()
    CANCELLED = auto()
    DRAINED = auto()
    SILENT = auto()
    PAUSED = auto()
    LATE = auto()


_HALTING = {
    StopReason.CANCELLED: "its run was cancelled",
    StopReason.LATE: "the time of its run was over",
}
"""What cannot wait for the calls that are under way, and what these are told."""


@dataclass(slots=True, kw_only=True)
class DrivenRun:
    """One of the runs of a worker."""

    fence: Fence
    segment: Segment
    progress_s: float
    halt: Halt
    task: "asyncio.Task[None]"
    why: StopReason | None = None
    """Set before the task is cancelled."""
    _timer: asyncio.TimerHandle | None = None
    _halted_s: float | None = None

    def stop(self, why: StopReason) -> None:
        """Stop driving it; the first reason is the one that counts.

        A run that is cancelled, or late, does not wait for its calls either, whatever came first.
        """
        if why in _HALTING:
            self.halt.request(_HALTING[why])
            self._halted_s = self._halted_s or time.monotonic()
        if self.why is None:
            self.why = why
            self.task.cancel()

    @property
    def ignores_stop(self) -> bool:
        """Whether one of its nodes does not let itself be stopped. From any thread."""
        halted_s = self._halted_s
        return halted_s is not None and time.monotonic() - halted_s > STUBBORN_S

    def end_after(self, left_s: float) -> None:
        """Stop driving it as late when its time is over."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(left_s, 0.0), self.stop, StopReason.LATE)

    def over(self) -> None:
        """Forget its time: it is not driven any more."""
        if self._timer is not None:
            self._timer.cancel()


class Heartbeat:
    """Shows that a worker lives, in a thread of its own, and hands what it learns to its loop."""

    def __init__(
        self,
        store: Store,
        worker: NewWorker,
        pace: Pace,
        driving: Mapping[RunId, DrivenRun],
        *,
        drain: Callable[[], None],
    ) -> None:
        """Beat for the runs of a worker: those in `driving`, which changes under it.

        When somebody asks the worker to drain, `drain` is called, in the thread of the beats.
        """
        self._store = store
        self._me = worker
        self._pace = pace
        self._driving = driving
        self._drain = drain
        self._is_asked = False
        self._is_unseen = False
        self._over = threading.Event()
        self._stirred = threading.Event()
        self._unheeded: float | None = None
        self._is_told = False

    def begin(self) -> None:
        """Make ready for a worker that begins, perhaps once more."""
        self._over.clear()
        self._stirred.clear()
        self._store.post(self._show)

    def stir(self) -> None:
        """Have it look now. From any thread."""
        self._stirred.set()

    def end(self) -> None:
        """Beat no more. From any thread."""
        self._over.set()
        self._stirred.set()

    def say_end(self) -> None:
        """Have people see that the worker has ended; it ends all the same if they cannot."""
        with contextlib.suppress(StoreError):
            self._store.post(lambda connection: workers.end(connection, self._me.id))

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Prolong the leases, in a thread: a node that blocks the loop must not lose them all.

        A run of which nothing is heard long after it should have failed is not prolonged. Its loop
        is blocked, so it can only be taken over. Nor is one that should have stopped at once, and
        whose node holds on. A loop that is blocked is told of. Between two beats, and when somebody
        asks for it, it only looks at what was asked of the runs: that is no commit.
        """
        grace_s = _STUCK_BEATS * self._pace.beat_s
        next_s = shows_s = time.monotonic() + self._pace.beat_s
        while not self._over.is_set():
            self._stirred.wait(self._pace.beat_s / LOOKS_PER_BEAT)
            self._stirred.clear()
            if self._over.is_set():
                return
            if time.monotonic() < next_s:
                self._look(loop)
                continue
            now_s = time.monotonic()
            next_s = now_s + self._pace.beat_s
            driven = {
                run_id: driving
                for run_id, driving in tuple(self._driving.items())
                if driving.segment.silent_s < driving.progress_s + grace_s
                and not driving.ignores_stop
            }
            shown = None
            if now_s >= shows_s:
                # Handed in first, it is in the same commit; a change of its own, it can fail alone.
                shown = self._store.post(self._show)
                shows_s = now_s + self._me.beat_s
            held = self._store.write_blocking(
                lambda connection, driven=driven: leases.beat(
                    connection, self._me.id, list(driven), lease_s=self._pace.lease_s
                )
            )
            if shown is not None:
                self._hear(shown)
            if not self._over.is_set():
                self._tell_blocked()
                loop.call_soon_threadsafe(self._heed, driven, held)
                self._unheeded = self._unheeded or time.monotonic()

    def _show(self, connection: Connection) -> str | None:
        """Show that the worker lives; return who has asked it to drain."""
        return workers.check_in(connection, self._me)

    def _hear(self, shown: "Future[str | None]") -> None:
        """Do what somebody asked of the worker. That it could not show itself is said once."""
        if (error := shown.exception()) is not None:
            if not self._is_unseen:
                log.warning("the worker works, but cannot show that it does: %s", error)
            self._is_unseen = True
            return
        self._is_unseen = False
        by = shown.result()
        if by is not None and not self._is_asked:
            self._is_asked = True
            log.info("%s asked the worker to drain: it ends when its runs have ended or wait", by)
            self._drain()

    def _tell_blocked(self) -> None:
        """Say once that the loop has not heeded a beat for longer than the next."""
        since = self._unheeded
        blocked_s = 0.0 if since is None else time.monotonic() - since
        if self._is_told or blocked_s < max(self._pace.beat_s, BLOCKED_S):
            return
        self._is_told = True
        named = [
            f"run {run_id} in {', '.join(driving.segment.running) or 'its graph'}"
            for run_id, driving in tuple(self._driving.items())
        ]
        log.warning(
            "the event loop has been blocked for %.1f s, and with it %s: a node that waits without"
            " `await` is to be no coroutine, so that it has a thread of its own",
            blocked_s,
            "; ".join(named) or "nothing",
        )

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        asked = dict(self._driving)
        if not asked:
            return
        try:
            held = self._store.read_blocking(
                lambda connection: leases.held_by(connection, self._me.id)
            )
        except StoreError as error:
            # The next beat sees it too, and says so if the store is gone for good.
            log.warning("what was asked of the runs could not be seen: %s", error)
            return
        known = {one.fence: one for one in held}
        for driving in asked.values():
            if (one := known.get(driving.fence)) is not None and (why := _asked(one)) is not None:
                loop.call_soon_threadsafe(driving.stop, why)

    def _heed(self, driven: dict[RunId, DrivenRun], held: Sequence[leases.HeldRun]) -> None:
        """Stop what was lost, is unwanted or has come to nothing since the last beat."""
        self._unheeded = None
        self._is_told = False
        known = {one.fence: one for one in held}
        for driving in driven.values():
            if driving.fence not in known:
                driving.stop(StopReason.LOST)
            elif (why := _asked(known[driving.fence])) is not None:
                driving.stop(why)
            elif driving.segment.silent_s > driving.progress_s:
                driving.stop(StopReason.SILENT)
            else:
                driving.segment.write_running()


def progress_failure(driving: DrivenRun) -> Failure:
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


def deadline_failure(driving: DrivenRun, deadline_s: float | None) -> Failure:
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


def _where(driving: DrivenRun) -> str:
    return ", ".join(f"`{node}`" for node in driving.segment.running) or "its graph"


def _asked(held: leases.HeldRun) -> StopReason | None:
    """Return what was asked of a run that is driven."""
    if held.cancel_by is not None:
        return StopReason.CANCELLED
    return StopReason.PAUSED if held.is_paused else None
