"""What is heard of a run while it is driven: its steps, and that it comes on at all.

What a segment may still use of its run's steps and time.

How a segment hears of all that happens in its graph: as a parent graph hears of a child.

LangGraph's public way, a stream of subgraphs and of what nodes write, executes every node in a
task of its own, beside one that waits for the stream. That is a fifth of the work of a short run.
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
"""What is kept of the error of a step."""

STREAM_KEY = "__pregel_stream"
"""Under which a parent graph's stream is handed to its subgraphs; a contract test holds it."""

RUNTIME_KEY = "__pregel_runtime"
"""Under which a parent graph's runtime is; a contract test holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What was executed of a run before a segment."""

    count: int = 0
    """Steps that came to an end."""
    succeeded: Collection[str] = frozenset()
    """Their tasks, where they did so with success: LangGraph tells of some of them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The caps of a run on steps and time, and what was used of them before a segment."""

    run: Run
    steps: int | None = None
    """The cap on steps; None for no cap."""
    executed: Executed = Executed()
    time: Balance | None = None
    """How the run stands in time; None for no cap."""

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None]:
        """Leave what is done within this when the time is over.

        Raises:
            BudgetExhausted: it is over.
        """
        left = None if self.time is None else self.time.left
        limit = asyncio.timeout(None if left is None else left / 1000)
        try:
            async with limit:
                yield
        except Exception as error:
            # A node may make something else of being stopped.
            if self.time is None or not limit.expired():
                raise
            raise BudgetExhausted(OverBudget(self._short(self.time), self.run.graph)) from error

    def _short(self, time: Balance) -> Shortfall:
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
    """Hears what LangGraph tells of one segment, and writes its steps down.

    A step is written down when it has ended, in the commit of its checkpoint; one that takes long
    also while it runs, at the next beat.
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
        """Hear of `run`, whose nodes are of these kinds, and hold it to its allowance."""
        self.allowance = allowance or Allowance(run=run)
        self.trace = trace or SegmentTrace()
        """What is seen of it from outside."""
        self._store = store
        self._clock = clock
        self._run = run
        self._kinds = kinds
        self._running: dict[str, Step] = {}
        self._unwritten: set[str] = set()
        self._admitting = threading.Lock()
        self._admitted: set[str] = set()
        self._open: set[str] = set()
        self._noting = threading.Lock()
        self._heard_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """How long ago anything was heard of the run. From any thread."""
        return time.monotonic() - self._heard_s

    @property
    def running(self) -> Sequence[str]:
        """The nodes that have begun and not ended."""
        return sorted(step.node for step in self._running.values())

    @property
    def is_through(self) -> bool:
        """Whether each task that has begun has brought its result: nothing waits or has failed."""
        return not self._open

    def heard(self) -> None:
        """Take note that the run comes on."""
        self._heard_s = time.monotonic()

    def admit(self, mode: str, told: Any) -> None:
        """Let a step begin of which LangGraph tells, before it does. From any thread.

        One that is executed again in the same segment, or had succeeded before it, is the same
        step.

        Raises:
            BudgetExhausted: the run has no step left.
        """
        if mode != "tasks":
            return
        if "result" in told:
            if told["error"] is None and not told["interrupts"]:
                self._open.discard(told["id"])
            return
        self._open.add(told["id"])
        cap, before = self.allowance.steps, self.allowance.executed
        if cap is None:
            return
        with self._admitting:
            if told["id"] in self._admitted or told["id"] in before.succeeded:
                return
            left = cap - before.count - len(self._admitted)
            if left > 0:
                self._admitted.add(told["id"])
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
        raise BudgetExhausted(OverBudget(short, told["name"]))

    def hear(self, namespace: Sequence[str], mode: str, told: Any) -> None:
        """Take in one event of the stream, of mode `tasks` or any other."""
        self.heard()
        if mode != "tasks":
            return
        if "result" not in told:
            self._began(namespace, told)
        elif (step := self._running.pop(told["id"], None)) is not None:
            with self._noting:
                self._unwritten.discard(step.task_id)
            ended = _ended(step, told, at=self._clock.now())
            self._write(ended)
            self.trace.record_step(ended, told["result"])

    def end(self, run: Run) -> None:
        """Have its trace end with `run` as it was left."""
        self.trace.end(run, [self._running[task_id] for task_id in sorted(self._running)])

    def write_running(self) -> None:
        """Write down the steps that have begun since this was called last, and not ended.

        From any thread.
        """
        with self._noting:
            begun = [self._running.get(task_id) for task_id in sorted(self._unwritten)]
            self._unwritten.clear()
            # Before any of them has ended: what is handed in first is written first.
            self._write(*(step for step in begun if step is not None))

    def _began(self, namespace: Sequence[str], told: Mapping[str, Any]) -> None:
        # A name of the namespace is `node:task`, the path of a node is without the tasks.
        path = "|".join([*(part.partition(":")[0] for part in namespace), told["name"]])
        self._running[told["id"]] = Step(
            run_id=self._run.id,
            epoch=self._run.epoch,
            task_id=told["id"],
            namespace="|".join(namespace),
            node=path,
            kind=self._kinds.get(path, StepKind.OTHER),
            status=StepStatus.STARTED,
            started_at=self._clock.now(),
            ended_at=None,
            error=None,
        )
        with self._noting:
            self._unwritten.add(told["id"])

    def _write(self, *noted: Step) -> None:
        if noted:
            # Nobody waits: it is in the commit of the checkpoint that follows, or of the state.
            self._store.post(lambda connection: steps.record(connection, noted))


def allowance_of(connection: Connection, run: Run) -> Allowance:
    """Return what is left of a run's steps and time, as it was claimed."""
    driven = budgets.driving_balances(connection, run.id)
    # Of a run that is claimed for the first time nothing was executed.
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
    """Return `config` for an execution of `compiled` of which `segment` hears, subgraphs and all.

    It hears in the loop that this is called in, whatever thread something happens in. Only whether
    a step may begin it is asked at once, before LangGraph begins it.
    """
    loop, home = asyncio.get_running_loop(), threading.get_ident()

    def tell(told: tuple[Any, ...]) -> None:
        _, mode, event = told
        segment.admit(mode, event)
        if threading.get_ident() != home:
            loop.call_soon_threadsafe(segment.hear, *told)
        elif mode == "tasks" and "result" in event:
            # Not at once: LangGraph tells that a task has ended before its writes are handed in,
            # which the loop does next, and a step must not be durable without them.
            loop.call_soon(segment.hear, *told)
        else:
            segment.hear(*told)

    # LangGraph takes a graph's store from here too, once there is a runtime.
    runtime: Runtime[Any] = Runtime(
        store=compiled.store, stream_writer=lambda _: segment.hear((), "custom", None)
    )
    keys = {STREAM_KEY: StreamProtocol(tell, {"tasks"}), RUNTIME_KEY: runtime}
    return {**config, "configurable": {**config.get("configurable", {}), **keys}}


def _ended(step: Step, told: Mapping[str, Any], *, at: datetime) -> Step:
    error = told["error"]
    if error is not None:
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        return replace(step, status=StepStatus.FAILED, ended_at=at, error=text[:ERROR_CHARS])
    status = StepStatus.PARKED if told["interrupts"] else StepStatus.SUCCEEDED
    return replace(step, status=status, ended_at=at)
