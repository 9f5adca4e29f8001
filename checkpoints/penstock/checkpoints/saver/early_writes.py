"""Writes that were answered before they were durable, and what happens if they never are.

LangGraph waits for the writes of a finished task before it hands in the checkpoint that follows
them. Waiting for the disk in between would cost two commits a step where one will do: the writer
keeps the order, so the checkpoint cannot become durable before them. They are therefore answered
at once, under two rules. Who reads waits until they are stored. And where one of them fails,
the thread takes nothing more until it has been read anew, so nothing is built on what is gone.
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
    lane: WriteTarget
    cause: BaseException
    told: bool
    """Whether somebody was given the failure."""


class EarlyWrites:
    """Knows which lanes have lost a write, and which write was answered early last."""

    def __init__(self) -> None:
        """Start with nothing lost."""
        self._lock = threading.Lock()
        self._handing_in = threading.Lock()
        self._losses: dict[tuple[str, str], _Loss] = {}
        self._last_early: Future[Any] | None = None
        # What is stored is forgotten: nobody but the writer holds on to it.
        self._early: WeakValueDictionary[tuple[str, str], Future[Any]] = WeakValueDictionary()

    def answer_early(self, lane: WriteTarget, hand_in: Callable[[], "Future[Any]"]) -> None:
        """Hand in a write to `lane` that is answered before it is stored.

        The writer keeps the order, so who waits for the last one waits for all; hence the last
        one remembered must be the last one handed in, also by several threads at once.
        """
        with self._handing_in:
            self._last_early = self._early[lane.place] = hand_in()

    def lose(self, lane: WriteTarget, cause: BaseException, *, told: bool) -> None:
        """Close `lane`: a write to it failed; `told` if its caller was given the failure."""
        with self._lock:
            loss = self._losses.get(lane.place)
            if loss is None or loss.lane != lane:
                self._losses[lane.place] = _Loss(lane, cause, told)
            else:
                loss.told = loss.told or told

    def check(self, lane: WriteTarget) -> None:
        """Refuse a write to a lane that has lost one.

        Raises:
            WriteLost: an earlier write failed.
            LeaseLost, ThreadBusy: an earlier write was refused.
        """
        if self._losses:
            self._raise_if_lost(lane, reading=False)

    async def settle(self, lane: WriteTarget | None) -> None:
        """Before a read: wait until what was answered early is stored, and open the lane again.

        Without a lane, that of all lanes is waited for.

        Raises:
            WriteLost: a write failed and nobody was told yet.
            LeaseLost, ThreadBusy: a write was refused and nobody was told yet.
        """
        early = self._early_of(lane)
        if early is not None and not early.done():
            waiting = asyncio.wrap_future(early)
            # Looked at even if this caller is cancelled: its failure is told through the lane.
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait([waiting])
        self._reopen(lane)

    def settle_blocking(self, lane: WriteTarget | None) -> None:
        """Do what `settle` does, keeping the thread waiting."""
        early = self._early_of(lane)
        if early is not None and not early.done():
            early.exception()
        self._reopen(lane)

    def _early_of(self, lane: WriteTarget | None) -> "Future[Any] | None":
        return self._last_early if lane is None else self._early.get(lane.place)

    def _reopen(self, lane: WriteTarget | None) -> None:
        if lane is not None and self._losses:
            self._raise_if_lost(lane, reading=True)

    def _raise_if_lost(self, lane: WriteTarget, *, reading: bool) -> None:
        with self._lock:
            loss = self._losses.get(lane.place)
            if loss is None:
                return
            if loss.lane != lane:
                # A new lease starts from what is stored; a reader without one decides nothing.
                if lane.fence is not None:
                    del self._losses[lane.place]
                return
            if reading and loss.told:
                del self._losses[lane.place]
                return
            loss.told = True
        if isinstance(loss.cause, (ControlSignal, ThreadBusy)):
            # A write that was refused: what comes after it is refused for the same reason.
            raise type(loss.cause)(*loss.cause.args) from loss.cause
        msg = (
            f"a write to thread `{lane.thread_id}` that had been answered did not reach the store"
            f" ({loss.cause}); nothing after it was kept; run on from the last checkpoint"
        )
        raise WriteLost(msg) from loss.cause
