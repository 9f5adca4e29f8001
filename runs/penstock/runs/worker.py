"""A worker: a process that claims runs and drives them, several at a time."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, budgets, leases, runs
from penstock.contracts.budget import Budget
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import PenstockError
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import Failure, Run, RunStatus
from penstock.contracts.signals import LeaseLost
from penstock.contracts.tool import IsolationTier
from penstock.graphs import Catalog
from penstock.nodes.calls.context import Halt
from penstock.nodes.isolation import NotStarted, Pool
from penstock.policies import OpenDirectory, People
from penstock.runs import policies
from penstock.runs.driver import Driver
from penstock.runs.engine import Engine, LocalEngine
from penstock.runs.failures import deadline_failure, progress_failure
from penstock.runs.fleet import describe_worker
from penstock.runs.heartbeat import DrivenRun, Heartbeat, StopReason
from penstock.runs.lifecycle import put_calls_in_doubt
from penstock.runs.pace import Pace
from penstock.runs.segment import Allowance, Segment, allowance_of
from penstock.runs.services import Service, ServiceLoops
from penstock.runs.sweep import SweepService
from penstock.traces import Tracing
from penstock.traces.ids import bind_run

log = logging.getLogger(__name__)

HANDING_ON = "penstock.traces.propagation"

IDLE_TOOL_PROCESSES = 2
"""Processes that wait for tools which want a process of their own."""


class Worker:
    """Claims queued runs of the graphs in its catalog, drives them, and renews its leases.

    Every worker sweeps too: it queues the runs of lost workers again. Any number of workers may
    share a store, in one process or in many. A worker that tells people about gates:

        worker = Worker(
            store,
            checkpointer,
            Catalog.of(graph),
            services=[NotificationService(store, directory, SystemClock())],
        )
        await worker.work()
    """

    def __init__(
        self,
        store: Store,
        checkpointer: Checkpointer,
        catalog: Catalog,
        *,
        engine: Engine | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
        people: People | None = None,
        policy: Path | None = None,
        day_budget: Budget | None = None,
        tracing: Tracing | None = None,
        services: Sequence[Service] = (),
    ) -> None:
        """Make a worker for the graphs of `catalog`; `work` starts it.

        Args:
            store: Where the runs are.
            checkpointer: The checkpointer of the same store.
            catalog: The graphs whose runs it claims.
            engine: What wakes it; share it with a `Runtime` of the same process.
            pace: How many runs it drives, and its periods.
            clock: Tells the time.
            people: Who may do what; without it, everybody may do everything.
            policy: The folder of the policy for graphs that name none.
            day_budget: What the runs of each tenant may use in a day together. Every worker of a
                store is to have the same.
            tracing: Where its runs are traced; whoever opened it closes it.
            services: What it does beside driving runs, as notifications and retention.
        """
        self._store = store
        self._catalog = catalog
        self._engine = engine or LocalEngine()
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._driven: dict[RunId, DrivenRun] = {}
        self._draining = threading.Event()
        self._giving_back = threading.Event()
        description = describe_worker(catalog, self._pace)
        self.id: WorkerId = description.id
        """Its name in leases and audit events."""
        self._heartbeat = Heartbeat(store, description, self._pace, self._driven, drain=self.finish)
        self._pool = Pool(
            # A traced call would wait for this import in each process.
            preload=_isolated(catalog) if tracing is None else [*_isolated(catalog), HANDING_ON],
            idle_count=IDLE_TOOL_PROCESSES,
        )
        self._people: People = people or OpenDirectory()
        self._policy = policy
        self._tracing = tracing or Tracing()
        self._driver = Driver(
            store,
            checkpointer,
            self._clock,
            self.id,
            pool=self._pool,
            people=self._people,
            day_budget=day_budget,
        )
        sweep = SweepService(store, self._engine, self._clock, lost_limit=self._pace.lost_limit)
        self._services = ServiceLoops([sweep, *services], self.id, beat_s=self._pace.beat_s)

    async def work(self) -> None:
        """Work until `drain` or `finish` is called and the driven runs have stopped.

        Raises:
            InvalidPolicy: the policy of a graph cannot be used; nothing was claimed.
            ExceptionGroup: of a `StoreError`, when the store cannot be written any more.
        """
        await self._load_policies()
        loop = asyncio.get_running_loop()
        self._heartbeat.begin()
        with ThreadPoolExecutor(1, thread_name_prefix="penstock-beat") as thread:
            try:
                if _isolated(self._catalog):
                    await self._warm_up()
                async with asyncio.TaskGroup() as group:
                    beating = loop.run_in_executor(thread, self._heartbeat.beat, loop)
                    group.create_task(_until(beating))
                    self._services.start(group)
                    await self._engine.work(self)
                    await self._until_finished()
                    self._services.begin_stop()
                    for run in list(self._driven.values()):
                        run.stop(StopReason.DRAINED)
                    await asyncio.gather(*(run.task for run in list(self._driven.values())))
                    # Now, so that the last signed heads are of all that was given back.
                    await self._services.stop()
                    self._heartbeat.end()
            finally:
                self._heartbeat.end()
                self._driver.close()
                await self._pool.close()
        self._heartbeat.record_end()

    def drain(self) -> None:
        """Claim nothing more, and give all runs back to the queue at their last checkpoints."""
        self._giving_back.set()
        self.finish()

    def finish(self) -> None:
        """Claim nothing more, and end when all runs have ended or wait. From any thread."""
        self._draining.set()
        self._engine.wake()

    async def _until_finished(self) -> None:
        """Return when no run is driven any more, or all are to be given back."""
        while self._driven and not self._giving_back.is_set():
            tasks = [run.task for run in list(self._driven.values())]
            await asyncio.wait(tasks, timeout=self._pace.poll_s)

    async def _load_policies(self) -> None:
        for graph in self._catalog:
            source = policies.source_of(graph, self._policy)
            await self._store.write(
                lambda connection, graph=graph, source=source: policies.load(
                    connection, graph, source, self._people, at=self._clock.now(), by=self.id
                )
            )
        unpoliced = await self._store.read(
            lambda connection: policies.unpoliced(connection, self._catalog, default=self._policy)
        )
        for name in unpoliced:
            log.info("graph %s has %s", name, policies.ABOUT_BUILTIN)

    async def _warm_up(self) -> None:
        """Start the processes for tools, so that the first call need not wait for them."""
        try:
            for module, reason in (await self._pool.start()).items():
                log.warning(
                    "module `%s` is imported anew for each call of its tools: %s", module, reason
                )
        except NotStarted as error:
            log.warning("tools that want processes of their own will be refused: %s", error)

    # ---- what an engine calls ----

    @property
    def poll_s(self) -> float:
        """Seconds between two looks for runs that another process queued."""
        return self._pace.poll_s

    @property
    def free_count(self) -> int:
        """How many more runs it would drive now; 0 when it drains."""
        return 0 if self.is_draining else self._pace.slots - len(self._driven)

    @property
    def is_draining(self) -> bool:
        """Whether it claims no more runs."""
        return self._draining.is_set()

    async def take(self, limit: int) -> int:
        """Claim and drive up to `limit` of the longest waiting runs; return how many."""
        at = self._clock.now()
        graphs = [(graph.name, str(graph.fingerprint)) for graph in self._catalog]

        def claim(connection: Connection) -> Sequence[Allowance]:
            claimed = leases.claim(
                connection,
                self.id,
                graphs=graphs,
                limit=limit,
                lease_s=self._pace.lease_s,
                at=at,
            )
            return [allowance_of(connection, run) for run in claimed]

        allowances = await self._store.write(claim)
        for allowance in allowances:
            self._start(allowance)
        return len(allowances)

    def check_flags(self) -> None:
        """Look now for cancellations and pauses of the runs that it drives. From any thread."""
        self._heartbeat.check_now()

    # ---- one run ----

    def _start(self, allowance: Allowance) -> None:
        """Start to drive a run that was claimed."""
        run = allowance.run
        log.info("run %s of %s is claimed, epoch %d", run.id, run.graph, run.epoch)
        graph = self._catalog.get(run.graph)
        trace = self._tracing.segment(
            run,
            self._clock,
            content=graph.trace,
            sensitive=graph.sensitive,
            timeouts_s=graph.timeouts_s,
        )
        segment = Segment(
            self._store, self._clock, run, graph.kinds, allowance=allowance, trace=trace
        )
        halt = Halt()
        driven = self._driven[run.id] = DrivenRun(
            fence=run.fence,
            segment=segment,
            progress_s=graph.progress_s or self._pace.progress_s,
            halt=halt,
            task=asyncio.create_task(self._drive(run, segment, halt), name=f"run {run.id}"),
        )
        if run.deadline_at is not None:
            driven.start_deadline((run.deadline_at - self._clock.now()).total_seconds())

    async def _drive(self, run: Run, segment: Segment, halt: Halt) -> None:
        bind_run(run.id)
        try:
            graph = self._catalog.get(run.graph)
            with segment.trace.as_current():
                left = await self._driver.drive(graph, run, segment, halt)
            segment.end(left)
            log.info("run %s is %s", run.id, left.status)
        except asyncio.CancelledError:
            await self._let_go(run)
        except LeaseLost:
            log.warning("run %s is driven by another worker now", run.id)
        except Exception:
            # The lease runs out by itself; whoever can drive the run then takes it over.
            log.exception("run %s is left to be taken over", run.id)
        finally:
            if (driven := self._driven.pop(run.id, None)) is not None:
                driven.cancel_deadline()
            self._engine.wake()

    async def _let_go(self, run: Run) -> None:
        """Record a run that was stopped, as its stop reason says."""
        driven = self._driven[run.id]
        if driven.stop_reason is StopReason.LOST:
            await self._record_loss(run)
            return
        driven.segment.write_running()
        status, failure = _end_of(driven, run)
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            current = runs.get(connection, run.id)
            # It may have come to a gate or an end in the moment in which it was stopped.
            if current.status is not RunStatus.RUNNING:
                return current
            # Requested since the last beat: in the queue nobody would see it.
            is_cancelled = status is RunStatus.QUEUED and current.cancel_by is not None
            to = RunStatus.CANCELLED if is_cancelled else status
            budgets.record_driven_time(connection, run, until=at)
            moved = runs.move(connection, run.fence, to, at=at, actor=self.id, failure=failure)
            left = put_calls_in_doubt(connection, moved, at=at, actor=self.id)
            if moved.status is RunStatus.QUEUED:
                self._engine.enqueue(connection, moved)
            return left

        try:
            driven.segment.end(await self._store.write(change))
        except (LeaseLost, PenstockError) as error:
            log.warning("run %s could not be let go: %s", run.id, error)

    async def _record_loss(self, run: Run) -> None:
        """End the segment of a run whose lease was lost, if no other worker drives the run."""
        try:
            current = await self._store.read(lambda connection: runs.get(connection, run.id))
        except PenstockError as error:
            log.warning("run %s is lost, and how it stands is not known: %s", run.id, error)
            return
        # A run that came to a gate or an end just before a beat is not held any more either.
        if current.epoch != run.epoch or current.status is RunStatus.QUEUED:
            log.warning("run %s is driven by another worker now", run.id)
        else:
            self._driven[run.id].segment.end(current)
            log.info("run %s is %s", run.id, current.status)


def _end_of(driven: DrivenRun, run: Run) -> tuple[RunStatus, Failure | None]:
    """Return the state that a stopped run is left in, and its failure if it has failed."""
    match driven.stop_reason:
        case StopReason.CANCELLED:
            return RunStatus.CANCELLED, None
        case StopReason.STALLED:
            failure = progress_failure(driven.segment.running, driven.progress_s)
            return RunStatus.FAILED, failure
        case StopReason.LATE:
            return RunStatus.FAILED, deadline_failure(driven.segment.running, run.deadline_s)
        case _:
            return RunStatus.QUEUED, None


def _isolated(catalog: Catalog) -> Sequence[str]:
    """Return the import paths of the tools that want processes of their own."""
    return [
        tool.import_path
        for graph in catalog
        for tool in graph.tools.values()
        if tool.contract.isolation is IsolationTier.SUBPROCESS and tool.import_path is not None
    ]


async def _until(future: "asyncio.Future[None]") -> None:
    await future
