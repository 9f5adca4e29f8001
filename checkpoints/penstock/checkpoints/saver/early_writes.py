"""Writes that were answered before they were durable, and what happens if they never are.

LangGraph waits for the writes of a finished task before it hands in the checkpoint that follows
them. Waiting for the disk in between would cost two commits a step where one will do: the writer
keeps the order, so the checkpoint cannot become durable before the writes. The writes are therefore
answered at once, under two rules. A reader waits until they are stored. And after one of them has
failed, the thread accepts no further write until it has been read again, so that nothing is built
on a lost write.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from penstock.contracts.errors import ThreadBusy, WriteLost
from penstock.contracts.run import Fence
from penstock.contracts.signals import ControlSignal


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """One namespace of one thread, written under one lease."""

    thread_id: str
    checkpoint_ns: str
    fence: Fence | None

    @property
    def place(self) -> tuple[str, str]:
        """Where it writes, whoever holds the lease."""
        return self.thread_id, self.checkpoint_ns


@dataclass(slots=True)
class _Loss:
    target: WriteTarget
    cause: BaseException
    is_reported: bool
    """Whether a caller has received the failure."""


class EarlyWrites:
    """The writes that were answered early, and the targets of those that were lost."""

    def __init__(self) -> None:
        """Start with nothing lost."""
        self._lock = threading.Lock()
        self._submitting = threading.Lock()
        self._losses: dict[tuple[str, str], _Loss] = {}
        self._last_early: Future[Any] | None = None
        # A stored write is forgotten: only the writer holds a reference to its future.
        self._early: WeakValueDictionary[tuple[str, str], Future[Any]] = WeakValueDictionary()

    def answer_early(self, target: WriteTarget, submit: Callable[[], "Future[Any]"]) -> None:
        """Submit a write to `target` that is answered before it is stored.

        The writer keeps the order, so whoever waits for the last write waits for all. Hence the
        last one remembered must be the last one submitted, also by several threads at once.
        """
        with self._submitting:
            self._last_early = self._early[target.place] = submit()

    def record_loss(self, target: WriteTarget, cause: BaseException, *, is_reported: bool) -> None:
        """Close `target`, to which a write failed; `is_reported` if its caller has the failure."""
        with self._lock:
            loss = self._losses.get(target.place)
            if loss is None or loss.target != target:
                self._losses[target.place] = _Loss(target, cause, is_reported)
            else:
                loss.is_reported = loss.is_reported or is_reported

    def check(self, target: WriteTarget) -> None:
        """Refuse a write to a target that has lost a write.

        Raises:
            WriteLost: an earlier write failed.
            LeaseLost, ThreadBusy: an earlier write was refused.
        """
        if self._losses:
            self._raise_if_lost(target, reading=False)

    async def settle(self, target: WriteTarget | None) -> None:
        """Before a read: wait until early writes are stored, and open the target again.

        Without a target, wait for the early writes of all targets.

        Raises:
            WriteLost: a write failed, which was not reported yet.
            LeaseLost, ThreadBusy: a write was refused, which was not reported yet.
        """
        early = self._early_of(target)
        if early is not None and not early.done():
            waiting = asyncio.wrap_future(early)
            # Retrieved even if this caller is cancelled: the target reports the failure.
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait([waiting])
        self._reopen(target)

    def settle_blocking(self, target: WriteTarget | None) -> None:
        """Do what `settle` does, blocking the thread."""
        early = self._early_of(target)
        if early is not None and not early.done():
            early.exception()
        self._reopen(target)

    def _early_of(self, target: WriteTarget | None) -> "Future[Any] | None":
        return self._last_early if target is None else self._early.get(target.place)

    def _reopen(self, target: WriteTarget | None) -> None:
        if target is not None and self._losses:
            self._raise_if_lost(target, reading=True)

    def _raise_if_lost(self, target: WriteTarget, *, reading: bool) -> None:
        with self._lock:
            loss = self._losses.get(target.place)
            if loss is None:
                return
            if loss.target != target:
                # A new lease starts from what is stored; a reader without a lease reopens nothing.
                if target.fence is not None:
                    del self._losses[target.place]
                return
            if reading and loss.is_reported:
                del self._losses[target.place]
                return
            loss.is_reported = True
        if isinstance(loss.cause, (ControlSignal, ThreadBusy)):
            # The write was refused: those after it are refused for the same reason.
            raise type(loss.cause)(*loss.cause.args) from loss.cause
        msg = (
            f"a write to thread `{target.thread_id}` that had been answered did not reach the store"
            f" ({loss.cause}); nothing after it was kept; run on from the last checkpoint"
        )
        raise WriteLost(msg) from loss.cause
