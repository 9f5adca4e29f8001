"""Engines tell workers that runs are queued; `LocalEngine` is the engine of one machine.

An engine says only "look for queued runs". Which runs are queued, and who may drive them, is in the
table of runs alone: an engine may lose a message, or deliver it twice, and nothing breaks.
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
        """Seconds between two looks for runs that another process queued."""
        ...

    @property
    def free_count(self) -> int:
        """How many more runs it would drive now; 0 when it drains."""
        ...

    @property
    def is_draining(self) -> bool:
        """Whether it claims no more runs."""
        ...

    async def take(self, limit: int) -> int:
        """Claim and drive up to `limit` of the longest waiting runs; return how many."""
        ...

    def check_flags(self) -> None:
        """Look now for cancellations and pauses of the runs that it drives. From any thread."""
        ...


class Engine(Protocol):
    """Tells the workers of every process that shares the store that runs are queued.

    Every engine passes `tests/conformance/test_engines.py`.
    """

    def enqueue(self, connection: Connection, run: Run) -> None:
        """Record a run, in the transaction that queued it."""
        ...

    def wake(self) -> None:
        """Have the workers of this process look for queued runs now. From any thread."""
        ...

    def check_flags(self) -> None:
        """Have the workers of this process look for cancellations and pauses now.

        From any thread. Workers of other processes see them at their next look.
        """
        ...

    async def work(self, consumer: Consumer) -> None:
        """Have a worker take runs until it drains; `wake` ends this then."""
        ...

    def sweep(self, connection: Connection) -> None:
        """Record queued runs that were lost; every worker calls it at each beat."""
        ...


class LocalEngine:
    """The engine of one machine: the table of runs is the queue, so there is nothing to lose.

    Any number of processes may share the store. A run that was queued in this process is claimed at
    once, a run of another process at the next poll.

    Share one engine between a `Runtime` and a `Worker` of the same process:

        engine = LocalEngine()
        runtime = Runtime(store, checkpointer, catalog, engine=engine)
        worker = Worker(store, checkpointer, catalog, engine=engine)
    """

    def __init__(self) -> None:
        """Serve the workers of this process."""
        self._bells: set[_Bell] = set()
        self._consumers: set[Consumer] = set()

    def enqueue(self, connection: Connection, run: Run) -> None:
        """Do nothing: the row of the run says that it is queued."""

    def sweep(self, connection: Connection) -> None:
        """Do nothing: there is no second queue that could have lost a run."""

    def wake(self) -> None:
        """Have the workers of this process look for queued runs now. From any thread."""
        for bell in tuple(self._bells):
            bell.ring()

    def check_flags(self) -> None:
        """Have the workers of this process look for cancellations and pauses now.

        From any thread.
        """
        for consumer in tuple(self._consumers):
            consumer.check_flags()

    async def work(self, consumer: Consumer) -> None:
        """Have a worker claim the oldest queued runs as long as it takes any."""
        bell = _Bell()
        self._bells.add(bell)
        self._consumers.add(consumer)
        try:
            while not consumer.is_draining:
                bell.clear()
                free = consumer.free_count
                if free > 0 and await consumer.take(free) == free:
                    continue
                await bell.wait(consumer.poll_s)
        finally:
            self._bells.discard(bell)
            self._consumers.discard(consumer)


class _Bell:
    """Wakes one coroutine, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        # A loop that has been closed has nobody left to wake.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._rung.set)

    def clear(self) -> None:
        self._rung.clear()

    async def wait(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
