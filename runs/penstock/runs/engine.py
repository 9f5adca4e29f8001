"""What hands queued runs to workers, as workers and the runtime see it.

An engine only says "look at run R". Which runs are queued, and who may drive them, is in the runs'
table alone: an engine may lose what it was told, or tell it twice, and nothing breaks.

The engine of one machine: the runs' table is the queue.

Nothing is noted beside it, so nothing can be forgotten. A run that was queued in this process is
looked for at once, one of another process at the next poll.
"""

import asyncio
import contextlib
from typing import Protocol

from sqlalchemy import Connection

from penstock.contracts.run import Run


class Consumer(Protocol):
    """A worker, as an engine sees it."""

    @property
    def poll_s(self) -> float:
        """How long it waits between two looks for runs that another process queued."""
        ...

    @property
    def free_count(self) -> int:
        """How many more runs it would drive now; 0 when it drains."""
        ...

    @property
    def is_draining(self) -> bool:
        """Whether it takes nothing more."""
        ...

    async def take(self, limit: int) -> int:
        """Claim and drive up to `limit` of the runs that wait longest; return how many."""
        ...

    def heed(self) -> None:
        """See now what was asked of the runs that it drives. From any thread."""
        ...


class Engine(Protocol):
    """Hands queued runs to the workers of every process that shares the store."""

    def enqueue(self, connection: Connection, run: Run) -> None:
        """Take note of a run, in the transaction that queued it."""
        ...

    def wake(self) -> None:
        """Have the workers of this process look now: a run was queued here. From any thread."""
        ...

    def heed(self) -> None:
        """Have the workers of this process see now what was asked here of runs that are driven.

        From any thread. Those of other processes see it with their next look.
        """
        ...

    async def work(self, taker: Consumer) -> None:
        """Hand runs to a worker until it drains; `wake` it then."""
        ...

    def sweep(self, connection: Connection) -> None:
        """Take note of queued runs that were forgotten; every worker calls it at each beat."""
        ...


class LocalEngine:
    """Claims straight from the store; any number of processes may share it."""

    def __init__(self) -> None:
        """Serve the workers of this process."""
        self._bells: set[_Bell] = set()
        self._takers: set[Consumer] = set()

    def enqueue(self, connection: Connection, run: Run) -> None:
        """Do nothing: the run's row says that it is queued."""

    def sweep(self, connection: Connection) -> None:
        """Do nothing: there is no second queue that could have lost a run."""

    def wake(self) -> None:
        """Have the workers of this process look for queued runs now. From any thread."""
        for bell in tuple(self._bells):
            bell.ring()

    def heed(self) -> None:
        """Have the workers of this process see now what was asked of runs. From any thread."""
        for taker in tuple(self._takers):
            taker.heed()

    async def work(self, taker: Consumer) -> None:
        """Hand the oldest queued runs to a worker as long as it takes any."""
        bell = _Bell()
        self._bells.add(bell)
        self._takers.add(taker)
        try:
            while not taker.is_draining:
                bell.hush()
                free = taker.free_count
                if free > 0 and await taker.take(free) == free:
                    continue
                await bell.wait(taker.poll_s)
        finally:
            self._bells.discard(bell)
            self._takers.discard(taker)


class _Bell:
    """Wakes one coroutine, from whatever thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        # A loop that has been closed has nobody left to wake.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._rung.set)

    def hush(self) -> None:
        self._rung.clear()

    async def wait(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
