"""A worker: a process that claims runs and drives them, several at a time."""

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, leases, runs
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import PenstockError
from penstock.contracts.ids import RunId, WorkerId, new_worker_id
from penstock.contracts.run import Fence, Run, RunStatus
from penstock.contracts.signals import LeaseLost
from penstock.graphs import Catalog
from penstock.runs.driver import Driver

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much a worker does at a time, and how long it waits for what."""

    slots: int = 8
    """Runs driven at once."""
    beat_s: float = 1.0
    """Between two signs of life; a cancellation is seen within this time."""
    lease_s: float = 5.0
    """Without a sign of life for so long, a worker is taken for dead."""
    poll_s: float = 0.5
    """Between two looks for runs that another process queued."""
    lost_limit: int = 3
    """A run that took so many workers down fails as poison."""


class _Why(Enum):
    """Why a worker stops driving a run."""

    LOST = auto()
    CANCELLED = auto()
    DRAINED = auto()


@dataclass(slots=True, kw_only=True)
class _Driving:
    fence: Fence
    task: "asyncio.Task[None]"
    why: _Why | None = None
    """Set before the task is cancelled."""

    def stop(self, why: _Why) -> None:
        if self.why is None:
            self.why = why
            self.task.cancel()


class Worker:
    """Claims queued runs of the graphs it knows, drives them, and shows that it lives.

    Every worker sweeps too: it queues the runs of workers that are not heard of any more. How many
    there are, and whether they share a process with anything else, makes no difference.
    """

    def __init__(
        self,
        store: Store,
        checkpointer: Checkpointer,
        catalog: Catalog,
        *,
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Make a worker for the graphs of `catalog`; `work` starts it."""
        self._store = store
        self._catalog = catalog
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._driver = Driver(store, checkpointer, self._clock)
        self._driving: dict[RunId, _Driving] = {}
        self._rung = asyncio.Event()
        self._draining = asyncio.Event()
        self.id: WorkerId = new_worker_id(socket.gethostname(), os.getpid())
        """Its name in leases and audit events."""

    async def work(self) -> None:
        """Work until `drain` is called and what is driven has stopped.

        Raises:
            ExceptionGroup: of a `StoreError`, when the store would not be written any more.
        """
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            sweeping = group.create_task(self._sweep())
            await self._claim()
            for driving in list(self._driving.values()):
                driving.stop(_Why.DRAINED)
            await asyncio.gather(*(one.task for one in list(self._driving.values())))
            beating.cancel()
            sweeping.cancel()

    def drain(self) -> None:
        """Claim nothing more; what is driven goes back to the queue at its last checkpoint."""
        self._draining.set()
        self._rung.set()

    def ring(self) -> None:
        """Look for queued runs now: one was queued in this process."""
        self._rung.set()

    # ---- loops ----

    async def _claim(self) -> None:
        graphs = [(graph.name, str(graph.fingerprint)) for graph in self._catalog]
        while not self._draining.is_set():
            self._rung.clear()
            free = self._pace.slots - len(self._driving)
            if free > 0:
                at = self._clock.now()
                claimed = await self._store.write(
                    lambda connection, free=free, at=at: leases.claim(
                        connection,
                        self.id,
                        graphs=graphs,
                        limit=free,
                        lease_s=self._pace.lease_s,
                        at=at,
                    )
                )
                for run in claimed:
                    log.info("run %s of %s is claimed, epoch %d", run.id, run.graph, run.epoch)
                    task = asyncio.create_task(self._drive(run), name=f"run {run.id}")
                    self._driving[run.id] = _Driving(fence=run.fence, task=task)
                if len(claimed) == free:
                    continue
            try:
                async with asyncio.timeout(self._pace.poll_s):
                    await self._rung.wait()
            except TimeoutError:
                pass

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._pace.beat_s)
            driven = dict(self._driving)
            held = await self._store.write(
                lambda connection, driven=driven: leases.beat(
                    connection, self.id, list(driven), lease_s=self._pace.lease_s
                )
            )
            known = {one.fence: one for one in held}
            for driving in driven.values():
                if driving.fence not in known:
                    driving.stop(_Why.LOST)
                elif known[driving.fence].cancel_by is not None:
                    driving.stop(_Why.CANCELLED)

    async def _sweep(self) -> None:
        while True:
            at = self._clock.now()
            swept = await self._store.write(
                lambda connection, at=at: leases.sweep(
                    connection, lost_limit=self._pace.lost_limit, at=at, actor=self.id
                )
            )
            for run in swept:
                log.warning("the worker of run %s was lost; the run is %s", run.id, run.status)
            if swept:
                self.ring()
            await asyncio.sleep(self._pace.beat_s)

    # ---- one run ----

    async def _drive(self, run: Run) -> None:
        try:
            left = await self._driver.drive(self._catalog.get(run.graph), run, self.id)
            log.info("run %s is %s", run.id, left.status)
        except asyncio.CancelledError:
            await self._let_go(run)
        except LeaseLost:
            log.warning("run %s is driven by another worker now", run.id)
        except Exception:
            # The lease runs out by itself; whoever can drive the run then takes it over.
            log.exception("run %s is left to be taken over", run.id)
        finally:
            self._driving.pop(run.id, None)
            self.ring()

    async def _let_go(self, run: Run) -> None:
        driving = self._driving.get(run.id)
        why = None if driving is None else driving.why
        if why is _Why.LOST:
            return
        to = RunStatus.CANCELLED if why is _Why.CANCELLED else RunStatus.QUEUED
        at = self._clock.now()

        def change(connection: Connection) -> None:
            # It may have come to a gate or an end in the moment in which it was to be let go.
            if runs.get(connection, run.id).status is RunStatus.RUNNING:
                runs.move(connection, run.fence, to, at=at, actor=self.id)

        try:
            await self._store.write(change)
        except (LeaseLost, PenstockError) as error:
            log.warning("run %s could not be let go: %s", run.id, error)
