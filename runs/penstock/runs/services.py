"""Services: periodic work that a worker does beside driving runs, each in a loop of its own.

No service ends a worker, or delays a run: a failure is logged, and the service runs again later.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from penstock.contracts.errors import PenstockError
from penstock.contracts.ids import WorkerId

log = logging.getLogger(__name__)

LAST_RUN_S = 1.0
"""When a worker ends, its services have so many seconds to end; another worker does the rest."""


class Service(ABC):
    """Periodic work of a worker.

    Several workers may share a store, so a service claims what it works on, or does no harm where
    two do the same. One that counts the runs in the queue:

        class QueueLength(Service):
            name = "queue length"
            period_s = 60.0

            async def run_once(self, worker: WorkerId) -> bool:
                gauge.set(await count_queued())
                return False

        worker = Worker(store, checkpointer, catalog, services=[QueueLength()])
    """

    name: ClassVar[str]
    """What the log calls it."""
    period_s: ClassVar[float | None] = None
    """Seconds between two runs; None for the beat of the worker."""
    backoff_s: float = 10.0
    """Seconds until the next run after a failure, at least."""
    stops_last: ClassVar[bool] = False
    """Whether it goes on while a draining worker gives its runs back."""

    @abstractmethod
    async def run_once(self, worker: WorkerId) -> bool:
        """Do a portion of what is due, for a worker; return whether more is due at once.

        It may raise anything, and it is cancelled where a worker ends and cannot wait.
        """

    async def run_last(self) -> None:  # noqa: B027  (most services have nothing to do then)
        """Run once more, before the worker ends."""


class ServiceLoops:
    """Runs the services of one worker until they are stopped."""

    def __init__(self, services: Iterable[Service], worker: WorkerId, *, beat_s: float) -> None:
        """Run `services` for `worker`: each at its own period, or at each beat."""
        self._loops = [_Loop(service, worker, beat_s=beat_s) for service in services]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start every service as a task of a group."""
        self._tasks = [
            group.create_task(loop.run(), name=f"service {loop.service.name}")
            for loop in self._loops
        ]

    def begin_stop(self) -> None:
        """Stop the services that do not stop last: each completes its current portion."""
        for loop in self._loops:
            if not loop.service.stops_last:
                loop.stopping.set()

    async def stop(self) -> None:
        """Stop all services and wait for them, but not longer than `LAST_RUN_S`."""
        for loop in self._loops:
            loop.stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_RUN_S)
        for task in self._tasks:
            task.cancel()


class _Loop:
    """The loop of one service."""

    def __init__(self, service: Service, worker: WorkerId, *, beat_s: float) -> None:
        self.service = service
        self.stopping = asyncio.Event()
        self._worker = worker
        self._period_s = beat_s if service.period_s is None else service.period_s
        self._failure: str | None = None
        """The failure that was logged last; None after a run without one."""

    async def run(self) -> None:
        service = self.service
        while not self.stopping.is_set():
            wait_s = self._period_s
            try:
                if await service.run_once(self._worker):
                    continue
                self._failure = None
            except Exception as error:
                # The top of a worker: its runs go on, whatever is wrong here.
                wait_s = max(wait_s, service.backoff_s)
                self._log(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self.stopping.wait()
        try:
            await service.run_last()
        except Exception as error:
            self._log(error)

    def _log(self, error: Exception) -> None:
        """Log a failure, unless it is the one that was logged last."""
        failure = f"{type(error).__name__}: {error}"
        if failure == self._failure:
            return
        self._failure = failure
        if isinstance(error, PenstockError | OSError):
            log.warning("%s failed, and will be tried again: %s", self.service.name, error)
        else:
            log.error("%s failed, and will be tried again", self.service.name, exc_info=error)
