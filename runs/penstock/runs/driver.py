"""One segment of a run: from a claim to its gates or its end."""

import asyncio
from collections.abc import Collection
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError, NodeTimeoutError, UnknownInterruptError
from langgraph.types import StateSnapshot
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, budgets, fenced, gates, runs
from penstock.contracts.budget import AccountKind, Budget
from penstock.contracts.clock import Clock
from penstock.contracts.errors import (
    StoreError,
    ThreadBusy,
    ToolFailed,
    ToolRefused,
    UnstorableValue,
)
from penstock.contracts.gate import GateKind
from penstock.contracts.ids import GateId, WorkerId
from penstock.contracts.outcome import Stage
from penstock.contracts.run import Failure, FailureCode, Run, RunStatus
from penstock.contracts.signals import BudgetExhausted, GateExpired
from penstock.graphs import Graph
from penstock.nodes import with_calls
from penstock.nodes.acting import Acting
from penstock.nodes.deciding import Deciding
from penstock.nodes.halt import Halt
from penstock.nodes.isolation import Pool
from penstock.nodes.metering import Meter
from penstock.nodes.model_spans import Retrievals
from penstock.nodes.rulebook import Rulebook
from penstock.nodes.run_calls import RunCalls
from penstock.nodes.stages.afford import FOR_TODAY
from penstock.nodes.stragglers import Stragglers
from penstock.policies import People
from penstock.runs.cancelled import leave_calls
from penstock.runs.hearing import heard
from penstock.runs.policing import rulebook_of
from penstock.runs.questions import STRICT_RESUME_KEY, answers, interrupts, questions, waits
from penstock.runs.segment import Segment
from penstock.runs.telling import tell_before

STEP_LIMIT = 10_000
"""LangGraph's recursion limit of a run: a stop for graphs that go round for ever."""


class Driver:
    """Drives LangGraph for a run and records what became of it, all under the run's fence."""

    def __init__(
        self,
        store: Store,
        checkpointer: Checkpointer,
        clock: Clock,
        worker: WorkerId,
        *,
        pool: Pool,
        people: People,
        day_budget: Budget | None = None,
    ) -> None:
        """Share the worker's store, checkpointer and people, and the pool that runs some tools.

        `day_budget` is what the runs of each tenant may use in a day together.
        """
        self._store = store
        self._checkpointer = checkpointer
        self._clock = clock
        self._worker = worker
        self._pool = pool
        self._people = people
        self._day_budget = day_budget
        self._stragglers = Stragglers(store, clock, worker)
        self._graphs: dict[str, Any] = {}
        self._rulebooks: dict[str, Rulebook] = {}

    async def drive(self, graph: Graph, run: Run, segment: Segment, halt: Halt) -> Run:
        """Drive `run`, as it was claimed, until it waits or ends; return it as it is then.

        `segment` hears of what happens meanwhile. Whoever cancels this and does not want to wait
        for the calls that are under way asks `halt` first.

        Raises:
            LeaseLost: somebody else drives it now; nothing was recorded.
            StoreError: the store failed; the run goes on when its lease has run out.
        """
        try:
            state, parked = await self._advance(graph, run, segment, halt)
        except (StoreError, ThreadBusy):
            raise
        except Exception as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # What a node makes of being stopped is not why its run ends.
                raise asyncio.CancelledError from error
            segment.write_running()
            return await self._fail(run, _failure(error))
        except GateExpired as signal:
            segment.write_running()
            expired = Failure(code=FailureCode.GATE_EXPIRED, message=str(signal), redrivable=True)
            return await self._fail(run, expired)
        except BudgetExhausted as signal:
            segment.write_running()
            return await self._fail(run, _exhausted(str(signal), signal.error.shortfall.kind))
        at = self._clock.now()
        if interrupts(state):
            known = await self._store.read(lambda connection: gates.of_run(connection, run.id))
            asked = questions(run.id, state, known)
            others = sorted({*waits(state, known), *parked})
            segment.trace.waits_at(
                {
                    **{each.id: GateKind.QUESTION for each in asked},
                    **{each.id: each.kind for each in known if each.id in others},
                }
            )

            def park(connection: Connection) -> Run:
                parked = runs.park(
                    connection, run.fence, asked, others=others, at=at, actor=self._worker
                )
                return leave_calls(connection, parked, at=at, actor=self._worker)

            return await self._store.write(park)
        if state.tasks:
            names = ", ".join(f"`{task.name}`" for task in state.tasks)
            stopped = Failure(
                code=FailureCode.INTERNAL,
                message=f"the graph stopped before {names} had run; redrive the run",
                redrivable=True,
            )
            return await self._fail(run, stopped)
        segment.trace.result(state.values)
        return await self._store.write(
            lambda connection: runs.move(
                connection, run.fence, RunStatus.SUCCEEDED, at=at, actor=self._worker
            )
        )

    async def _advance(
        self, graph: Graph, run: Run, segment: Segment, halt: Halt
    ) -> tuple[StateSnapshot, Collection[GateId]]:
        """Run the graph as far as it goes; return where it stands, and where its calls wait."""
        compiled = self._compiled(graph)
        acting = Acting(
            store=self._store,
            clock=self._clock,
            run=run,
            worker=self._worker,
            pool=self._pool,
            people=self._people,
            halt=halt,
            trace=segment.trace,
            budget=graph.budget,
            day_budget=self._day_budget,
        )
        if run.epoch > 1:
            self._store.post(lambda connection: budgets.take_over(connection, run.fence))
        await tell_before(self._store, run, segment.trace)
        meter, retrievals = Meter(acting), Retrievals(segment.trace)
        deciding = Deciding(
            run, self._rulebook(graph), self._people, self._clock, taints=graph.taints
        )
        calls = RunCalls(acting, deciding, self._stragglers, heard=segment.heard)
        config = with_calls(_config(run), calls)
        config["callbacks"] = [meter, retrievals] if segment.trace.is_on else [meter]
        given: Any = None
        # Nobody has driven a run that is claimed for the first time.
        state = None if run.epoch == 1 else await compiled.aget_state(config)
        if state is None or not _is_begun(state, run):
            given = from_json(run.input)
        elif not state.tasks:
            # Its worker died between the last checkpoint and the run's state.
            return state, ()
        else:
            theirs = await self._store.read(lambda connection: gates.of_run(connection, run.id))
            given = answers(run.id, state, theirs)
        listening = heard(config, compiled, segment)
        try:
            await _exhaust(compiled, given, listening)
        except UnknownInterruptError:
            # The answer had been delivered before the last worker died: it is in the checkpoint.
            await _exhaust(compiled, None, listening)
        finally:
            # LangGraph leaves calls behind when their node has raised, and what has left the
            # process must be settled. Each has its deadline.
            await calls.ended()
            meter.ended()
            retrievals.cut_off()
        return await compiled.aget_state(config), calls.waits_for

    def close(self) -> None:
        """Watch over nothing any more: the worker ends."""
        self._stragglers.close()

    def _compiled(self, graph: Graph) -> Any:
        if graph.name not in self._graphs:
            self._graphs[graph.name] = graph.compile(self._checkpointer)
        return self._graphs[graph.name]

    def _rulebook(self, graph: Graph) -> Rulebook:
        if graph.name not in self._rulebooks:
            self._rulebooks[graph.name] = rulebook_of(graph, self._people)
        return self._rulebooks[graph.name]

    async def _fail(self, run: Run, failure: Failure) -> Run:
        at = self._clock.now()
        return await self._store.write(
            lambda connection: runs.move(
                connection, run.fence, RunStatus.FAILED, at=at, actor=self._worker, failure=failure
            )
        )


def _config(run: Run) -> RunnableConfig:
    config: RunnableConfig = {
        "configurable": {
            "thread_id": run.thread_id,
            "run_id": run.id,
            STRICT_RESUME_KEY: True,
        },
        "recursion_limit": STEP_LIMIT,
    }
    return fenced(config, run.fence)


def _is_begun(state: StateSnapshot, run: Run) -> bool:
    """Tell whether the thread's newest checkpoint is of this run, not of one before it."""
    metadata: Any = state.metadata
    return metadata is not None and metadata.get("run_id") == run.id


async def _exhaust(compiled: Any, given: Any, config: RunnableConfig) -> None:
    async for _ in compiled.astream(given, config, stream_mode=[], durability="sync"):
        pass


def _failure(error: Exception) -> Failure:
    found = f"{type(error).__name__}: {error}"
    if isinstance(error, UnstorableValue):
        return Failure(code=FailureCode.UNSTORABLE, message=str(error), redrivable=True)
    if isinstance(error, ToolRefused) and error.outcome.stage is Stage.BUDGET:
        whose = AccountKind.DAY if error.outcome.code == FOR_TODAY else AccountKind.RUN
        return _exhausted(str(error), whose)
    if isinstance(error, ToolRefused | ToolFailed):
        return Failure(
            code=FailureCode.TOOL_FAILED,
            message=f"{error}; mend what it says and redrive the run",
            redrivable=True,
        )
    if isinstance(error, NodeTimeoutError):
        return Failure(
            code=FailureCode.DEADLINE_EXCEEDED,
            message=(
                f"`{error.node}` took longer than the {error.timeout:g} s of its {error.kind}"
                " timeout; look at what takes so long, or give the node more time, and redrive the"
                " run"
            ),
            redrivable=True,
        )
    if isinstance(error, GraphRecursionError):
        return Failure(
            code=FailureCode.DEADLINE_EXCEEDED,
            message=f"the graph took more than {STEP_LIMIT} steps; does it go round for ever?",
            redrivable=False,
        )
    return Failure(
        code=FailureCode.NODE_FAILED,
        message=f"a node raised {found}; mend what it says and redrive the run",
        redrivable=True,
    )


def _exhausted(message: str, whose: AccountKind) -> Failure:
    return Failure(
        code=FailureCode.BUDGET_EXHAUSTED,
        message=f"{message}; `penstock budget` shows what it was used for",
        # The next day has an account of its own. That of a run stays as it is.
        redrivable=whose is AccountKind.DAY,
    )
