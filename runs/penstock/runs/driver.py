"""One segment of a run: from a claim to its gates or its end."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import NodeTimeoutError, UnknownInterruptError
from langgraph.types import StateSnapshot
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, audit, budgets, fenced, gates, runs, steps
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import CALL_UNITS, Budget
from penstock.contracts.clock import Clock
from penstock.contracts.errors import StoreError, ThreadBusy
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import GateId, WorkerId
from penstock.contracts.run import Failure, Run, RunStatus
from penstock.contracts.signals import BudgetExhausted, GateAwaited, GateExpired
from penstock.contracts.step import Step
from penstock.graphs import Graph
from penstock.nodes.calls.authorization import Authorizer, PolicyCache
from penstock.nodes.calls.context import Halt, SegmentContext
from penstock.nodes.gates.exhaustion import ExhaustionOutcome, Resolution, resolve_exhaustion
from penstock.nodes.isolation import Pool
from penstock.nodes.late_attempts import LateAttempts
from penstock.nodes.models.callbacks import NodeAttempts
from penstock.nodes.models.meter import Meter, install_meter
from penstock.nodes.models.spans import Retrievals
from penstock.nodes.pipeline import CallPipeline
from penstock.nodes.tools.request import with_calls
from penstock.policies import People
from penstock.runs import failures
from penstock.runs.interrupts import STRICT_RESUME_KEY, interrupts, questions, resume_command, waits
from penstock.runs.lifecycle import put_calls_in_doubt
from penstock.runs.policies import policy_cache_of
from penstock.runs.segment import Segment, with_events
from penstock.traces import SegmentTrace

_Past = tuple[Sequence[AuditEvent], Sequence[Gate], Sequence[Step]]

STEP_LIMIT = 1_000_000_000
"""LangGraph's recursion limit of a run: none, because its budget has a cap on steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """How far a segment has come."""

    state: StateSnapshot | None = None
    """The state of the thread; None where the graph has come to its end."""
    waits_for: Collection[GateId] = ()
    """The gates of the segment's calls, and of its budget."""
    waits_for_budget: bool = False
    """Whether the segment was left where it stood, because it waits at a gate of its budget."""
    has_new_budget: bool = False
    """Whether the segment was left because of a cap that was raised meanwhile."""


class Driver:
    """Drives LangGraph for a run and records the outcome, all under the run's fence."""

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
        """Drive for `worker`; `pool` runs the tools that want a process of their own.

        `day_budget` is what the runs of each tenant may use in a day together.
        """
        self._store = store
        self._checkpointer = checkpointer
        self._clock = clock
        self._worker = worker
        self._pool = pool
        self._people = people
        self._day_budget = day_budget
        self._late_attempts = LateAttempts(store, clock, worker)
        self._graphs: dict[str, Any] = {}
        self._policy_caches: dict[str, PolicyCache] = {}

    async def drive(self, graph: Graph, run: Run, segment: Segment, halt: Halt) -> Run:
        """Drive a claimed run until it waits or ends; return it as it is then.

        `segment` records its progress. To cancel this without waiting for the calls in progress,
        request `halt` first.

        Raises:
            LeaseLost: another worker drives it now; nothing was recorded.
            StoreError: the store failed; the run goes on when its lease has run out.
        """
        is_child = run.parent_id is not None
        parents = await self._store.read(lambda tx: runs.ancestors(tx, run)) if is_child else ()
        context = SegmentContext(
            store=self._store,
            clock=self._clock,
            run=run,
            worker=self._worker,
            pool=self._pool,
            people=self._people,
            halt=halt,
            trace=segment.trace,
            note_steps=segment.write_running if segment.trace.is_on else lambda: None,
            budget=graph.budget,
            parents=parents,
            day_budget=self._day_budget,
        )
        try:
            progress = await self._advance(graph, context, segment)
        except (StoreError, ThreadBusy):
            raise
        except Exception as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # The error that a node raises when it is stopped is not why its run ends.
                raise asyncio.CancelledError from error
            segment.write_running()
            return await self._fail(run, failures.failure_of(error))
        except GateExpired as signal:
            segment.write_running()
            return await self._fail(run, failures.expiry_failure(signal))
        except BudgetExhausted as signal:
            segment.write_running()
            return await self._fail(
                run, failures.budget_failure(str(signal), signal.error.shortfall.kind)
            )
        state = progress.state
        if state is None:
            return await self._leave(run, RunStatus.SUCCEEDED)
        if progress.has_new_budget:
            return await self._leave(run, RunStatus.QUEUED)
        if interrupts(state) or progress.waits_for_budget:
            return await self._park(run, state, progress.waits_for, segment)
        if state.tasks:
            return await self._fail(run, failures.halt_failure([task.name for task in state.tasks]))
        segment.trace.record_result(state.values)
        return await self._leave(run, RunStatus.SUCCEEDED)

    async def _advance(self, graph: Graph, context: SegmentContext, segment: Segment) -> _Progress:
        """Run the graph as far as it goes; return how far that is."""
        run, compiled = context.run, self._compiled(graph)
        if run.epoch > 1:
            self._store.post(lambda connection: budgets.take_over(connection, run.fence))
        await _trace_past(self._store, run, segment.trace)
        meter, retrievals = Meter(context), Retrievals(segment.trace)
        authorizer = Authorizer(
            run, self._policy_cache(graph), self._people, self._clock, taints=graph.taints
        )
        calls = CallPipeline(
            context, authorizer, self._late_attempts, on_progress=segment.mark_progress
        )
        config = with_calls(_config(run), calls)
        install_meter(meter)
        config["callbacks"] = [meter]
        if segment.trace.is_on:
            config["callbacks"] += [retrievals, NodeAttempts(segment.trace)]
        graph_input: Any = None
        # A run that is claimed for the first time has no checkpoint yet.
        state = None if run.epoch == 1 else await compiled.aget_state(config)
        if state is None or not _is_begun(state, run):
            graph_input = from_json(run.input)
        elif not state.tasks:
            # Its worker died between the last checkpoint and the run's state.
            return _Progress(state=state)
        else:
            known = await self._store.read(lambda connection: gates.of_run(connection, run.id))
            graph_input = resume_command(run.id, state, known)
        observed = with_events(config, compiled, segment)
        waits_for: set[GateId] = set()
        outcome: ExhaustionOutcome | None = None
        try:
            async with segment.allowance.limit_time():
                try:
                    await _exhaust(compiled, graph_input, observed)
                except UnknownInterruptError:
                    # The answer had been delivered before the last worker died: it is in the
                    # checkpoint.
                    await _exhaust(compiled, None, observed)
        except GateAwaited as signal:
            waits_for.add(signal.gate_id)
        except BudgetExhausted as signal:
            outcome = await self._ask_for_budget(context, signal)
            waits_for.update(gate.id for gate in (outcome.gate,) if gate is not None)
        except NodeTimeoutError:
            # The calls of a step have no more time than the step has.
            context.halt.request("the time of its step was over")
            raise
        finally:
            # LangGraph leaves calls behind when their node has raised, and a call that has left
            # the process must be settled. Each has its deadline.
            await calls.drain()
            meter.close()
            retrievals.cut_off()
        segment.write_running()
        is_through = segment.is_through and not waits_for and not calls.waits_for
        if is_through and not _stops(compiled) and not segment.trace.is_on:
            # To read and rebuild the state would only confirm it.
            return _Progress()
        return _Progress(
            state=await compiled.aget_state(config),
            waits_for={*calls.waits_for, *waits_for},
            waits_for_budget=bool(waits_for),
            has_new_budget=outcome is not None and outcome.resolution is Resolution.FITS,
        )

    async def _ask_for_budget(
        self, context: SegmentContext, signal: BudgetExhausted
    ) -> ExhaustionOutcome:
        """Open or read the gate of a run that has no steps or no time left; return the outcome.

        Raises:
            BudgetExhausted: people are not asked, or the run is to stop.
            GateExpired: nobody has answered in time.
        """
        if signal.error.shortfall.unit in CALL_UNITS:
            raise signal
        outcome = await self._store.write(
            lambda connection: resolve_exhaustion(connection, context, signal.error, None)
        )
        if outcome.resolution in {Resolution.FITS, Resolution.WAIT}:
            return outcome
        # Otherwise the run would wait for its calls.
        context.halt.request("the budget of its run was used up")
        raise signal

    async def _park(
        self, run: Run, state: StateSnapshot, waits_for: Collection[GateId], segment: Segment
    ) -> Run:
        """Park a run at the gates of its state and those in `waits_for`."""
        known = await self._store.read(lambda connection: gates.of_run(connection, run.id))
        asked = questions(run.id, state, known)
        others = sorted({*waits(state, known), *waits_for})
        segment.trace.record_gates(
            {
                **{each.id: GateKind.QUESTION for each in asked},
                **{each.id: each.kind for each in known if each.id in others},
            }
        )
        at = self._clock.now()

        def park(connection: Connection) -> Run:
            budgets.record_driven_time(connection, run, until=at)
            parked = runs.park(
                connection, run.fence, asked, others=others, at=at, actor=self._worker
            )
            return put_calls_in_doubt(connection, parked, at=at, actor=self._worker)

        return await self._store.write(park)

    def close(self) -> None:
        """Stop to watch late attempts: the worker ends."""
        self._late_attempts.close()

    def _compiled(self, graph: Graph) -> Any:
        if graph.name not in self._graphs:
            self._graphs[graph.name] = graph.compile(self._checkpointer)
        return self._graphs[graph.name]

    def _policy_cache(self, graph: Graph) -> PolicyCache:
        if graph.name not in self._policy_caches:
            self._policy_caches[graph.name] = policy_cache_of(graph, self._people)
        return self._policy_caches[graph.name]

    async def _fail(self, run: Run, failure: Failure) -> Run:
        return await self._leave(run, RunStatus.FAILED, failure)

    async def _leave(self, run: Run, to: RunStatus, failure: Failure | None = None) -> Run:
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            budgets.record_driven_time(connection, run, until=at)
            return runs.move(connection, run.fence, to, at=at, actor=self._worker, failure=failure)

        return await self._store.write(change)


async def _trace_past(store: Store, run: Run, trace: SegmentTrace) -> None:
    """Have a trace write what came before its segment: the caller, waits, and lost steps."""
    if not trace.is_on:
        return

    def look(connection: Connection) -> _Past:
        return (
            audit.of_run(connection, run.id),
            gates.of_run(connection, run.id),
            steps.of_run(connection, run.id),
        )

    trace.record_history(*await store.read(look))


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


def _stops(compiled: Any) -> bool:
    """Tell whether a graph is set to stop before or after some of its nodes."""
    return bool(compiled.interrupt_before_nodes or compiled.interrupt_after_nodes)


async def _exhaust(compiled: Any, graph_input: Any, config: RunnableConfig) -> None:
    async for _ in compiled.astream(graph_input, config, stream_mode=[], durability="sync"):
        pass
