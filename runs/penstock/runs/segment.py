"""A segment: the part of a run that one worker drives, its steps, and what it may still use.

A segment observes its graph in the way in which a parent graph observes a child. LangGraph's public
way, a stream of subgraphs and of what nodes write, executes every node in a task of its own, beside
one that waits for the stream. That is a fifth of the work of a short run.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel.protocol import StreamProtocol
from langgraph.runtime import Runtime
from sqlalchemy import Connection

from penstock.checkpoints import Store, budgets, steps
from penstock.contracts.budget import AccountKind, Balance, Shortfall, Unit, run_account
from penstock.contracts.clock import Clock
from penstock.contracts.errors import OverBudget
from penstock.contracts.run import Run
from penstock.contracts.signals import BudgetExhausted
from penstock.contracts.step import Step, StepKind, StepStatus
from penstock.traces import SegmentTrace

ERROR_CHARS = 2_000
"""The longest error of a step that is stored."""

STREAM_KEY = "__pregel_stream"
"""The key of a config for the stream of a parent graph; a contract test holds it."""

RUNTIME_KEY = "__pregel_runtime"
"""The key of a config for the runtime of a parent graph; a contract test holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """The steps of a run that were executed before a segment."""

    count: int = 0
    """How many ended."""
    succeeded: Collection[str] = frozenset()
    """The tasks of those that succeeded: LangGraph reports some of them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The caps of a run on steps and time, and how much of them was used before a segment."""

    run: Run
    steps: int | None = None
    """The cap on steps; None for no cap."""
    executed: Executed = Executed()
    time: Balance | None = None
    """The run's account of time; None for no cap."""

    @asynccontextmanager
    async def limit_time(self) -> AsyncGenerator[None]:
        """Cancel the body when the run has no time left.

        Raises:
            BudgetExhausted: the run has no time left.
        """
        left = None if self.time is None else self.time.left
        limit = asyncio.timeout(None if left is None else left / 1000)
        try:
            async with limit:
                yield
        except Exception as error:
            # A node may raise something else when it is stopped.
            if self.time is None or not limit.expired():
                raise
            raise BudgetExhausted(OverBudget(self._shortfall(self.time), self.run.graph)) from error

    def _shortfall(self, time: Balance) -> Shortfall:
        return Shortfall(
            account=run_account(self.run.id),
            kind=AccountKind.RUN,
            unit=Unit.WALL_MS,
            left=0,
            wanted=1,
            currency=None,
            cap=time.cap,
        )


class Segment:
    """Records the steps of one segment, from the events of LangGraph.

    A step is recorded when it has ended, in the commit of its checkpoint; one that takes long also
    while it runs, at the next heartbeat.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        run: Run,
        kinds: Mapping[str, StepKind],
        *,
        allowance: Allowance | None = None,
        trace: SegmentTrace | None = None,
    ) -> None:
        """Record the steps of `run`, whose nodes are of these kinds, within its allowance."""
        self.allowance = allowance or Allowance(run=run)
        self.trace = trace or SegmentTrace()
        """The trace of the segment; one that does nothing, where the run is not traced."""
        self._store = store
        self._clock = clock
        self._run = run
        self._kinds = kinds
        self._running: dict[str, Step] = {}
        self._unwritten: set[str] = set()
        self._admit_lock = threading.Lock()
        self._admitted: set[str] = set()
        self._open: set[str] = set()
        self._write_lock = threading.Lock()
        self._progress_s = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the run made progress. From any thread."""
        return time.monotonic() - self._progress_s

    @property
    def running(self) -> Sequence[str]:
        """The nodes that have begun and not ended."""
        return sorted(step.node for step in self._running.values())

    @property
    def is_through(self) -> bool:
        """Whether each task that has begun has its result: none waits or has failed."""
        return not self._open

    def mark_progress(self) -> None:
        """Record that the run makes progress."""
        self._progress_s = time.monotonic()

    def admit(self, mode: str, event: Any) -> None:
        """Count a step against the cap before LangGraph begins it. From any thread.

        A step that is executed again in the same segment, or had succeeded before, counts once.

        Raises:
            BudgetExhausted: the run has no step left.
        """
        if mode != "tasks":
            return
        if "result" in event:
            if event["error"] is None and not event["interrupts"]:
                self._open.discard(event["id"])
            return
        self._open.add(event["id"])
        cap, before = self.allowance.steps, self.allowance.executed
        if cap is None:
            return
        with self._admit_lock:
            if event["id"] in self._admitted or event["id"] in before.succeeded:
                return
            left = cap - before.count - len(self._admitted)
            if left > 0:
                self._admitted.add(event["id"])
                return
        short = Shortfall(
            account=run_account(self._run.id),
            kind=AccountKind.RUN,
            unit=Unit.STEPS,
            left=left,
            wanted=1,
            currency=None,
            cap=cap,
        )
        raise BudgetExhausted(OverBudget(short, event["name"]))

    def record(self, namespace: Sequence[str], mode: str, event: Any) -> None:
        """Record an event of the stream, of mode `tasks` or any other."""
        self.mark_progress()
        if mode != "tasks":
            return
        if "result" not in event:
            self._began(namespace, event)
        elif (step := self._running.pop(event["id"], None)) is not None:
            with self._write_lock:
                self._unwritten.discard(step.task_id)
            ended = _ended(step, event, at=self._clock.now())
            self._write(ended)
            self.trace.record_step(ended, event["result"])

    def end(self, run: Run) -> None:
        """Have its trace end with `run` as it was left."""
        self.trace.end(run, [self._running[task_id] for task_id in sorted(self._running)])

    def write_running(self) -> None:
        """Write down the steps that have begun since this was called last, and not ended.

        From any thread.
        """
        with self._write_lock:
            begun = [self._running.get(task_id) for task_id in sorted(self._unwritten)]
            self._unwritten.clear()
            # Before any of them has ended: what is handed in first is written first.
            self._write(*(step for step in begun if step is not None))

    def _began(self, namespace: Sequence[str], event: Mapping[str, Any]) -> None:
        # A name of the namespace is `node:task`, the path of a node is without the tasks.
        path = "|".join([*(part.partition(":")[0] for part in namespace), event["name"]])
        self._running[event["id"]] = Step(
            run_id=self._run.id,
            epoch=self._run.epoch,
            task_id=event["id"],
            namespace="|".join(namespace),
            node=path,
            kind=self._kinds.get(path, StepKind.OTHER),
            status=StepStatus.STARTED,
            started_at=self._clock.now(),
            ended_at=None,
            error=None,
        )
        with self._write_lock:
            self._unwritten.add(event["id"])

    def _write(self, *changed: Step) -> None:
        if changed:
            # Nobody waits: it is in the commit of the checkpoint that follows, or of the state.
            self._store.post(lambda connection: steps.record(connection, changed))


def allowance_of(connection: Connection, run: Run) -> Allowance:
    """Return what a claimed run may still use of its steps and time."""
    driven = budgets.driving_balances(connection, run.id)
    # Nothing was executed of a run that is claimed for the first time.
    done = steps.succeeded(connection, run.id) if run.epoch > 1 else frozenset[str]()
    if not driven:
        return Allowance(run=run, executed=Executed(succeeded=done))
    executed, time = driven[Unit.STEPS], driven[Unit.WALL_MS]
    return Allowance(
        run=run,
        steps=executed.cap,
        executed=Executed(count=executed.spent, succeeded=done),
        time=None if time.cap is None else time,
    )


def with_events(config: RunnableConfig, compiled: Any, segment: Segment) -> RunnableConfig:
    """Return `config` for an execution of `compiled` that `segment` records, with its subgraphs.

    Events are recorded in the loop that this is called in, whatever thread they come from. Only
    `admit` is called at once, before LangGraph begins a step.
    """
    loop, home = asyncio.get_running_loop(), threading.get_ident()

    def receive(received: tuple[Any, ...]) -> None:
        _, mode, event = received
        segment.admit(mode, event)
        if threading.get_ident() != home:
            loop.call_soon_threadsafe(segment.record, *received)
        elif mode == "tasks" and "result" in event:
            # Not at once: LangGraph reports the end of a task before its writes are handed in,
            # which the loop does next, and a step must not be durable without them.
            loop.call_soon(segment.record, *received)
        else:
            segment.record(*received)

    # LangGraph takes a graph's store from here too, once there is a runtime.
    runtime: Runtime[Any] = Runtime(
        store=compiled.store, stream_writer=lambda _: segment.record((), "custom", None)
    )
    keys = {STREAM_KEY: StreamProtocol(receive, {"tasks"}), RUNTIME_KEY: runtime}
    return {**config, "configurable": {**config.get("configurable", {}), **keys}}


def _ended(step: Step, event: Mapping[str, Any], *, at: datetime) -> Step:
    error = event["error"]
    if error is not None:
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        return replace(step, status=StepStatus.FAILED, ended_at=at, error=text[:ERROR_CHARS])
    status = StepStatus.PARKED if event["interrupts"] else StepStatus.SUCCEEDED
    return replace(step, status=status, ended_at=at)
