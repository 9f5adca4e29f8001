"""What is heard of a run while it is driven: its steps, and that it comes on at all."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.checkpoints import Store, steps
from penstock.contracts.budget import AccountKind, Shortfall, Unit, run_account
from penstock.contracts.clock import Clock
from penstock.contracts.errors import OverBudget
from penstock.contracts.run import Run
from penstock.contracts.signals import BudgetExhausted
from penstock.contracts.step import Step, StepKind, StepStatus
from penstock.runs.allowance import Allowance
from penstock.traces import SegmentTrace

ERROR_CHARS = 2_000
"""What is kept of the error of a step."""


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
            self.trace.step(ended, told["result"])

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


def _ended(step: Step, told: Mapping[str, Any], *, at: datetime) -> Step:
    error = told["error"]
    if error is not None:
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        return replace(step, status=StepStatus.FAILED, ended_at=at, error=text[:ERROR_CHARS])
    status = StepStatus.PARKED if told["interrupts"] else StepStatus.SUCCEEDED
    return replace(step, status=status, ended_at=at)
