"""A worker: a process that claims runs and drives them, several at a time."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, budgets, leases, runs, workers
from penstock.contracts.budget import Budget
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import PenstockError
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import Run, RunStatus
from penstock.contracts.signals import LeaseLost
from penstock.contracts.tool import IsolationTier
from penstock.contracts.trace import TraceContent
from penstock.graphs import Catalog
from penstock.nodes.calls.context import Halt
from penstock.nodes.isolation import NotStarted, Pool
from penstock.policies import OpenDirectory, People
from penstock.runs import policies
from penstock.runs.driver import Driver
from penstock.runs.engine import Engine, LocalEngine
from penstock.runs.fleet import describe_worker
from penstock.runs.heartbeat import (
    DrivenRun,
    Heartbeat,
    StopReason,
    deadline_failure,
    progress_failure,
)
from penstock.runs.lifecycle import put_calls_in_doubt
from penstock.runs.links import GateLinks
from penstock.runs.notifications import Channels, NotificationService
from penstock.runs.pace import Pace
from penstock.runs.phoenix import AnnotationService, AnnotationTarget
from penstock.runs.retention import ErasureTarget, Retention, RetentionService
from penstock.runs.segment import Allowance, Segment, allowance_of
from penstock.runs.signed_heads import HeadExport, SignedHeadService
from penstock.runs.sweep import Swept, sweep_once
from penstock.traces import Tracing
from penstock.traces.ids import bind_run

log = logging.getLogger(__name__)

HANDING_ON = "penstock.traces.propagation"

IDLE_TOOL_PROCESSES = 2
"""Processes that wait for tools which want one of their own."""

LAST_NOTICES_S = 1.0
"""When a worker ends, what is being sent has so much longer; then it is left to another worker."""


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
        engine: Engine | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
        people: People | None = None,
        policy: Path | None = None,
        channels: Channels | None = None,
        links: GateLinks | None = None,
        day_budget: Budget | None = None,
        tracing: Tracing | None = None,
        shipment: HeadExport | None = None,
        retention: Retention | None = None,
        elsewhere: Sequence[ErasureTarget] = (),
        phoenix: AnnotationTarget | None = None,
    ) -> None:
        """Make a worker for the graphs of `catalog`; `work` starts it.

        Without `people`, whoever reaches the store may do everything. `policy` is the folder of the
        policy for graphs that name none. Only a worker that is given `channels` tells people about
        gates, with `links` if there are any. `day_budget` is what the runs of each tenant may use
        in a day together; every worker of a store is to be given the same. What it drives is traced
        where `tracing` says so; whoever opened that closes it. With a `shipment` it writes signed
        heads of the audit out. With a `retention` it takes away what is older; runs are then
        forgotten `elsewhere` too. `phoenix` is told how people decided and how runs ended.
        """
        self._store = store
        self._catalog = catalog
        self._engine = engine or LocalEngine()
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._driving: dict[RunId, DrivenRun] = {}
        self._draining = threading.Event()
        self._giving_back = threading.Event()
        me = describe_worker(catalog, self._pace)
        self.id: WorkerId = me.id
        """Its name in leases and audit events."""
        self._beats = Heartbeat(store, me, self._pace, self._driving, drain=self.finish)
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
        self._tellers: list[NotificationService | AnnotationService] = []
        if channels is not None:
            self._tellers.append(NotificationService(store, channels, self._clock, links=links))
        if phoenix is not None:
            self._tellers.append(AnnotationService(store, phoenix, self._clock, self._content))
        self._keeper = (
            None
            if retention is None
            else RetentionService(store, retention, self._clock, self.id, elsewhere=elsewhere)
        )
        self._shipper = (
            None if shipment is None else SignedHeadService(store, shipment, self._clock)
        )

    async def work(self) -> None:
        """Work until `drain` is called and what is driven has stopped.

        Raises:
            InvalidPolicy: the policy of a graph cannot be used; nothing was claimed.
            ExceptionGroup: of a `StoreError`, when the store would not be written any more.
        """
        await self._load_policies()
        loop = asyncio.get_running_loop()
        self._beats.begin()
        with ThreadPoolExecutor(1, thread_name_prefix="penstock-beat") as beater:
            try:
                if _isolated(self._catalog):
                    await self._warm_up()
                async with asyncio.TaskGroup() as group:
                    beating = loop.run_in_executor(beater, self._beats.beat, loop)
                    group.create_task(_until(beating))
                    sweeping = group.create_task(self._sweep())
                    telling = [
                        group.create_task(teller.work(every_s=self._pace.beat_s))
                        for teller in self._tellers
                    ]
                    shipping = group.create_task(self._ship())
                    keeping = group.create_task(self._keep())
                    await self._engine.work(self)
                    await self._until_finished()
                    for teller in self._tellers:
                        teller.stop()
                    if self._keeper is not None:
                        self._keeper.stop()
                    for driving in list(self._driving.values()):
                        driving.stop(StopReason.DRAINED)
                    await asyncio.gather(*(one.task for one in list(self._driving.values())))
                    sweeping.cancel()
                    if self._shipper is not None:
                        # Now, so that the last heads are of all that was given back.
                        self._shipper.stop()
                    last = [*telling, shipping, keeping]
                    await asyncio.wait(last, timeout=LAST_NOTICES_S)
                    for task in last:
                        task.cancel()
                    self._beats.end()
            finally:
                self._beats.end()
                self._driver.close()
                await self._pool.close()
        self._beats.say_end()

    def drain(self) -> None:
        """Claim nothing more; what is driven goes back to the queue at its last checkpoint."""
        self._giving_back.set()
        self.finish()

    def finish(self) -> None:
        """Claim nothing more, and end when what is driven has ended or waits. From any thread."""
        self._draining.set()
        self._engine.wake()

    async def _until_finished(self) -> None:
        """Come back when nothing is driven any more, or what is driven is to be given back."""
        while self._driving and not self._giving_back.is_set():
            driven = [one.task for one in list(self._driving.values())]
            await asyncio.wait(driven, timeout=self._pace.poll_s)

    async def _load_policies(self) -> None:
        for graph in self._catalog:
            source = policies.source_of(graph, self._policy)
            await self._store.write(
                lambda connection, graph=graph, source=source: policies.load(
                    connection, graph, source, self._people, at=self._clock.now(), by=self.id
                )
            )
        found = await self._store.read(
            lambda connection: policies.unpoliced(connection, self._catalog, default=self._policy)
        )
        for name in found:
            log.info("graph %s has %s", name, policies.ABOUT_BUILTIN)

    async def _warm_up(self) -> None:
        """Start the processes for tools, so that the first call need not wait for them."""
        try:
            for module, why in (await self._pool.start()).items():
                log.warning(
                    "module `%s` is imported anew for each call of its tools: %s", module, why
                )
        except NotStarted as error:
            log.warning("tools that want processes of their own will be refused: %s", error)

    # ---- what an engine asks ----

    @property
    def poll_s(self) -> float:
        """How long to wait between two looks for runs that another process queued."""
        return self._pace.poll_s

    @property
    def free_count(self) -> int:
        """How many more runs it would drive now; 0 when it drains."""
        return 0 if self.is_draining else self._pace.slots - len(self._driving)

    @property
    def is_draining(self) -> bool:
        """Whether it takes nothing more."""
        return self._draining.is_set()

    async def take(self, limit: int) -> int:
        """Claim and drive up to `limit` of the runs that wait longest; return how many."""
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

        claimed = await self._store.write(claim)
        for allowance in claimed:
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
            driving = self._driving[run.id] = DrivenRun(
                fence=run.fence,
                segment=segment,
                progress_s=graph.progress_s or self._pace.progress_s,
                halt=halt,
                task=asyncio.create_task(self._drive(run, segment, halt), name=f"run {run.id}"),
            )
            if run.deadline_at is not None:
                left_s = (run.deadline_at - self._clock.now()).total_seconds()
                driving.end_after(left_s)
        return len(claimed)

    def heed(self) -> None:
        """See now what was asked of the runs that are driven. From any thread."""
        self._beats.stir()

    # ---- what every worker looks after ----

    async def _sweep(self) -> None:
        def change(connection: Connection) -> Swept:
            swept = sweep_once(
                connection,
                lost_limit=self._pace.lost_limit,
                at=self._clock.now(),
                actor=self.id,
            )
            self._enqueue(connection, *swept.lost, *swept.woken)
            self._engine.sweep(connection)
            return swept

        def forget(connection: Connection) -> int:
            return workers.purge(connection, limit=leases.SWEEP_LIMIT)

        while True:
            # A change of its own in the same commit: what people see of workers fails nobody.
            self._store.post(forget)
            swept = await self._store.write(change)
            for run in swept.lost:
                log.warning("the worker of run %s was lost; the run is %s", run.id, run.status)
            if swept.lost or swept.woken:
                self._engine.wake()
            await asyncio.sleep(self._pace.beat_s)

    def _content(self, run: Run) -> TraceContent:
        """Return how much of texts may be told of a run; of a graph that is not known, nothing."""
        graph = next((graph for graph in self._catalog if graph.name == run.graph), None)
        return TraceContent.DIGESTS if graph is None else graph.trace

    async def _ship(self) -> None:
        if self._shipper is not None:
            await self._shipper.work(every_s=self._pace.beat_s)

    async def _keep(self) -> None:
        if self._keeper is not None:
            await self._keeper.work()

    def _enqueue(self, connection: Connection, *moved: Run) -> None:
        for run in moved:
            if run.status is RunStatus.QUEUED:
                self._engine.enqueue(connection, run)

    # ---- one run ----

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
            if (driving := self._driving.pop(run.id, None)) is not None:
                driving.over()
            self._engine.wake()

    async def _let_go(self, run: Run) -> None:
        driving = self._driving[run.id]
        if driving.why is StopReason.LOST:
            await self._tell_lost(run)
            return
        driving.segment.write_running()
        to, failure = RunStatus.QUEUED, None
        if driving.why is StopReason.CANCELLED:
            to = RunStatus.CANCELLED
        elif driving.why is StopReason.SILENT:
            to, failure = RunStatus.FAILED, progress_failure(driving)
        elif driving.why is StopReason.LATE:
            to, failure = RunStatus.FAILED, deadline_failure(driving, run.deadline_s)
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            found = runs.get(connection, run.id)
            # It may have come to a gate or an end in the moment in which it was to be let go.
            if found.status is not RunStatus.RUNNING:
                return found
            # Asked for since the last beat: in the queue nobody would hear of it.
            is_unwanted = to is RunStatus.QUEUED and found.cancel_by is not None
            goal = RunStatus.CANCELLED if is_unwanted else to
            budgets.record_driven_time(connection, run, until=at)
            moved = runs.move(connection, run.fence, goal, at=at, actor=self.id, failure=failure)
            left = put_calls_in_doubt(connection, moved, at=at, actor=self.id)
            self._enqueue(connection, moved)
            return left

        try:
            driving.segment.end(await self._store.write(change))
        except (LeaseLost, PenstockError) as error:
            log.warning("run %s could not be let go: %s", run.id, error)

    async def _tell_lost(self, run: Run) -> None:
        try:
            found = await self._store.read(lambda connection: runs.get(connection, run.id))
        except PenstockError as error:
            log.warning("run %s is lost, and how it stands is not known: %s", run.id, error)
            return
        # A run that came to a gate or an end just before a beat is not held any more either.
        if found.epoch != run.epoch or found.status is RunStatus.QUEUED:
            log.warning("run %s is driven by another worker now", run.id)
        else:
            self._driving[run.id].segment.end(found)
            log.info("run %s is %s", run.id, found.status)


def _isolated(catalog: Catalog) -> Sequence[str]:
    """Return the import paths of the tools that want processes of their own."""
    return [
        tool.import_path
        for graph in catalog
        for tool in graph.tools.values()
        if tool.contract.isolation is IsolationTier.SUBPROCESS and tool.import_path is not None
    ]


async def _until(done: "asyncio.Future[None]") -> None:
    await done
