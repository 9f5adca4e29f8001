"""Starting, steering and ending runs, and answering gates; `queries` reads them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import JsonValue
from pydantic_core import to_json
from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, budgets, gates, ledger, runs
from penstock.contracts.budget import Budget
from penstock.contracts.bulk import SeenRun
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import InvalidInput
from penstock.contracts.fork import Forecast
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import GateId, RunId, ThreadId, new_run_id
from penstock.contracts.run import (
    DEFAULT_TENANT,
    Erased,
    NewRun,
    Run,
    RunMode,
    RunStatus,
    WhenBusy,
    read_tags,
)
from penstock.graphs import Catalog, validate_input
from penstock.policies import OpenDirectory, People
from penstock.runs.answers import check_answer, read_doubt, require_answerer, require_probe
from penstock.runs.authorization import Right, require, require_steering
from penstock.runs.engine import Engine, LocalEngine
from penstock.runs.forks import edited_channels, find_fork_point, forecast, new_fork, write_fork
from penstock.runs.lifecycle import cancel, redrive, require_unchanged, stop_at_budget_gate
from penstock.runs.queries import Queries
from penstock.runs.retention import ErasureTarget, forget
from penstock.traces.ids import is_traceparent

_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Runtime(Queries):
    """Starts runs of the graphs in its catalog and acts on them; workers drive them.

    It needs no worker in its process. A worker that shares its `engine` is woken when a run is
    queued, and does not have to poll.
    """

    def __init__(
        self,
        store: Store,
        checkpointer: Checkpointer,
        catalog: Catalog,
        *,
        engine: Engine | None = None,
        clock: Clock | None = None,
        people: People | None = None,
        elsewhere: Sequence[ErasureTarget] = (),
    ) -> None:
        """Act on the runs of `store`; without `people`, everybody may do everything.

        A run that is forgotten is erased `elsewhere` too.
        """
        super().__init__(store)
        self._checkpointer = checkpointer
        self._catalog = catalog
        self._engine = engine or LocalEngine()
        self._clock = clock or SystemClock()
        self._people: People = people or OpenDirectory()
        self._elsewhere = elsewhere

    async def start(
        self,
        graph: str,
        graph_input: Any,
        *,
        actor: str,
        key: str | None = None,
        thread_id: str | None = None,
        when_busy: WhenBusy = WhenBusy.WAIT,
        mode: RunMode = RunMode.LIVE,
        tenant: str = DEFAULT_TENANT,
        deadline_s: float | None = None,
        budget: Budget | None = None,
        parent_id: RunId | None = None,
        traceparent: str | None = None,
        tags: Collection[str] = (),
    ) -> Run:
        """Queue a run of `graph` and return it.

        Args:
            graph: The name of a graph in the catalog.
            graph_input: The input of the graph; checked against its input schema.
            actor: Who starts the run. The run acts for this principal.
            key: An idempotency key: the same call with the same key returns the same run.
            thread_id: The thread to continue; without one, the run has a thread of its own.
            when_busy: What to do while the last run of the thread is not over.
            mode: In mode `simulate` the tools of the run only read.
            tenant: Whose run it is.
            deadline_s: After so many seconds the run fails, wherever it is. Time at gates and in a
                pause does not count. The default is the deadline of the graph.
            budget: Caps beside those of the graph; of two caps, the smaller one holds.
            parent_id: The run that this one is a child of. A child acts for the principal of its
                parent, has its tags too, simulates if the parent does, has no more time than the
                parent has left, uses up the budgets of all runs above it, and is cancelled with
                them.
            traceparent: The span of the caller, in the form of W3C's trace context; the trace of
                the run links to it.
            tags: At most a handful; lists of runs can be filtered by them.

        Raises:
            UnknownGraph: there is no such graph.
            IllegalTransition: the parent is over, or about to be.
            NotAllowed: `actor` may not start runs in the tenant.
            InvalidInput: the input, the deadline, the `traceparent` or a tag is not valid; nothing
                was queued.
            RunKeyReused: the key names a run with another graph, thread, input or mode.
            ThreadBusy: the last run of the thread is not over, and the new one is not to wait; or
                the thread is the one of the parent.
            UnknownRun: the tenant has no run that is the parent.
            ValueError: the budget is in another currency than the graph's.
        """
        declared = self._catalog.get(graph)
        require(self._people, Right.START, actor, tenant)
        if deadline_s is not None and not deadline_s > 0:
            raise InvalidInput(
                f"`deadline_s` is {deadline_s:g}; wanted are seconds, more than 0, or leave it out"
            )
        if traceparent is not None and not is_traceparent(traceparent):
            raise InvalidInput(
                "`traceparent` is none of W3C's trace context; wanted is one like"
                f" `{_TRACEPARENT}`, or leave it out"
            )
        earlier_runs = () if thread_id is None else await self.list(thread_id=thread_id, limit=1)
        checked_input = validate_input(declared, graph_input, continues=bool(earlier_runs))
        account_budget = declared.budget if budget is None else declared.budget.tightened(budget)
        at = self._clock.now()
        run_id = new_run_id(at)
        thread = thread_id or (run_id if key is None else f"{tenant}:{key}")
        new_run = NewRun(
            id=run_id,
            tenant=tenant,
            key=key,
            thread_id=ThreadId(thread),
            graph=declared.name,
            graph_version=declared.version,
            fingerprint=str(declared.fingerprint),
            input=to_json(checked_input).decode(),
            mode=mode,
            principal=actor,
            deadline_s=declared.deadline_s if deadline_s is None else deadline_s,
            parent_id=parent_id,
            caller=traceparent,
            tags=read_tags(tags),
        )

        def change(connection: Connection) -> Run:
            run, is_new = runs.create(connection, new_run, when_busy=when_busy, at=at, actor=actor)
            if is_new:
                budgets.open_account(connection, budgets.account_of(run, account_budget))
                self._engine.enqueue(connection, run)
            return run

        run = await self._store.write(change)
        self._engine.wake()
        return run

    async def fork(
        self,
        run_id: RunId,
        checkpoint_id: str,
        *,
        by: str,
        mode: RunMode = RunMode.SIMULATE,
        edits: Mapping[str, JsonValue] | None = None,
    ) -> Run:
        """Queue a run that goes on from a checkpoint of another, and return it.

        It has a thread of its own, acts for `by`, and has the budget of its graph. `edits` replace
        values of the state, by field. A call that the other run has made is not made again without
        an approval; in mode `simulate`, the default, no call that acts is made at all.

        Raises:
            UnknownGraph: the graph of the run is not in the catalog.
            UnknownRun, UnknownCheckpoint: there is no such run, or it has no such checkpoint.
            IllegalTransition: the graph has changed its shape, or nothing follows the checkpoint.
            NotAllowed: `by` may not steer the run, or start runs in its tenant.
            InvalidInput: the edits do not fit the state of the graph; nothing was queued.
        """
        source = await self.get(run_id)
        graph = self._catalog.get(source.graph)
        point = await find_fork_point(self._store, self._checkpointer, graph, source, checkpoint_id)
        at = self._clock.now()
        new_run = new_fork(point, graph, new_run_id(at), mode=mode, principal=by)
        channels = await edited_channels(self._store, graph, point, edits or {}, new_run.id)
        edits_json = to_json(edits or {}).decode()

        def change(connection: Connection) -> Run:
            require_steering(self._people, source, by)
            require(self._people, Right.START, by, source.tenant)
            run = write_fork(
                connection,
                self._checkpointer,
                point,
                new_run,
                channels=channels,
                edits_json=edits_json,
                at=at,
            )
            budgets.open_account(connection, budgets.account_of(run, graph.budget))
            self._engine.enqueue(connection, run)
            return run

        run = await self._store.write(change)
        self._engine.wake()
        return run

    async def forecast_fork(
        self,
        run_id: RunId,
        checkpoint_id: str,
        *,
        mode: RunMode = RunMode.SIMULATE,
        is_edited: bool = False,
    ) -> Forecast:
        """Return what a fork at a checkpoint would do, without starting it.

        Raises:
            UnknownGraph, UnknownRun, UnknownCheckpoint, IllegalTransition: as `fork`.
        """
        source = await self.get(run_id)
        graph = self._catalog.get(source.graph)
        point = await find_fork_point(self._store, self._checkpointer, graph, source, checkpoint_id)
        return await forecast(self._store, graph, point, mode=mode, is_edited=is_edited)

    async def decide(self, gate_id: GateId, answer: Any, *, by: str) -> Gate:
        """Answer a gate; its run goes on. The same answer again changes nothing.

        A question of a graph is answered by the principal of its run, or by an operator; a gate
        about a call in doubt or a budget by an operator. A cap is raised in the transaction of the
        answer. Gates of kind `approval` take votes: see `Approvals`.

        Raises:
            UnknownGate: there is no such gate.
            VoteRefused: this person may not answer it, or it takes votes.
            InvalidAnswer: the answer does not fit its schema; the gate stays open.
            GateClosed: it was decided otherwise, or its run is over.
            GateNotReady: it asks about a call that may still happen.
        """
        gate, run = await self._store.read(lambda connection: _gate_of(connection, gate_id))
        require_answerer(gate, run, by, self._people)
        checked = check_answer(gate, answer)
        at = self._clock.now()

        def change(connection: Connection) -> Gate:
            # The run is locked first, as when a call begins, so that neither waits for the other.
            runs.lock(connection, run.id)
            decided, is_fresh = gates.decide(connection, gate_id, answer=checked, by=by, at=at)
            if not is_fresh:
                return decided
            if decided.kind is GateKind.IN_DOUBT:
                ledger.resolve(connection, decided, *read_doubt(checked), at=at, by=by)
            gates.apply_answer(connection, decided, at=at, by=by)
            if not stop_at_budget_gate(connection, decided, at=at, by=by):
                woken = runs.wake(connection, decided.run_id, at=at, actor=by)
                self._engine.enqueue(connection, woken)
            return decided

        decided = await self._store.write(change)
        self._engine.wake()
        return decided

    async def look_up(self, gate_id: GateId, *, by: str) -> Gate:
        """Have a worker call the probe of a call in doubt now; return the gate about that call.

        The probe's finding answers the gate; an inconclusive one is added to the call's reports.

        Raises:
            UnknownGate: there is no such gate.
            VoteRefused: this person may not, or the call has no known probe.
            GateClosed: it was decided, or the outcome became known.
            GateNotReady: the call may still happen.
            IllegalTransition: its run is over, so no worker would call the probe.
        """
        gate, run = await self._store.read(lambda connection: _gate_of(connection, gate_id))
        require_answerer(gate, run, by, self._people)
        at = self._clock.now()

        def change(connection: Connection) -> Gate:
            runs.lock(connection, run.id)
            require_probe(connection, gate, self._catalog)
            ledger.request_lookup(connection, gates.get(connection, gate_id), at=at, by=by)
            return gates.get(connection, gate_id)

        return await self._store.write(change)

    async def cancel(
        self, run_id: RunId, *, by: str, reason: str | None = None, seen: SeenRun | None = None
    ) -> Run:
        """Cancel a run: at once if it is not driven, else as soon as its worker sees the request.

        The runs that it has started are cancelled with it. With `seen`, the run has to be unchanged
        since.

        A worker that shares the `engine` sees the request now, another within a second. What a tool
        has done by then is not undone: such a call is settled, or in doubt.

        Raises:
            IllegalTransition: it is over already.
            NotAllowed: this person may not.
            RunStale: it has changed since it was `seen`.
            UnknownRun: there is no such run.
        """
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            require_steering(self._people, runs.get(connection, run_id), by)
            require_unchanged(connection, run_id, seen)
            return cancel(connection, run_id, at=at, by=by, reason=reason)

        run = await self._store.write(change)
        self._engine.check_flags()
        return run

    async def pause(self, run_id: RunId, *, by: str, reason: str | None = None) -> Run:
        """Pause a run until it is resumed.

        A run that is driven goes back to the queue at its last checkpoint, once its calls in
        progress are settled. Its gates stay open and may be decided.

        Raises:
            IllegalTransition: it is over.
            NotAllowed: this person may not.
            UnknownRun: there is no such run.
        """
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            require_steering(self._people, runs.get(connection, run_id), by)
            return runs.pause(connection, run_id, at=at, by=by, reason=reason)

        run = await self._store.write(change)
        self._engine.check_flags()
        return run

    async def resume(self, run_id: RunId, *, by: str) -> Run:
        """Resume a run that was paused; a run that was not paused is left as it is.

        Raises:
            IllegalTransition: it is over.
            NotAllowed: this person may not.
            UnknownRun: there is no such run.
        """
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            require_steering(self._people, runs.get(connection, run_id), by)
            run = runs.resume(connection, run_id, at=at, by=by)
            if run.status is RunStatus.QUEUED:
                self._engine.enqueue(connection, run)
            return run

        run = await self._store.write(change)
        self._engine.wake()
        return run

    async def redrive(self, run_id: RunId, *, by: str, seen: SeenRun | None = None) -> Run:
        """Queue a failed run again; it goes on from its last checkpoint.

        With `seen`, as in bulk, the run has to be unchanged since, and no call of it in doubt.

        Raises:
            IllegalTransition: it has not failed, or a redrive cannot help; or a call is in doubt.
            NotAllowed: this person may not.
            RunStale: it has changed since it was `seen`.
            UnknownRun: there is no such run.
        """
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            require_steering(self._people, runs.get(connection, run_id), by, own=False)
            require_unchanged(connection, run_id, seen)
            run = redrive(connection, run_id, is_bulk=seen is not None, at=at, by=by)
            self._engine.enqueue(connection, run)
            return run

        run = await self._store.write(change)
        self._engine.wake()
        return run

    async def forget(self, run_id: RunId, *, by: str) -> Sequence[Erased]:
        """Erase the inputs, outputs and texts of a run; return what was erased in each store.

        That the run existed, what it called and how each call ended stays, and so does the audit
        chain. A second call erases what could not be erased before.

        Raises:
            IllegalTransition: it is not over, or one of its calls is in doubt.
            NotAllowed: this person may not.
            UnknownRun: there is no such run.
        """
        require_steering(self._people, await self.get(run_id), by, own=False)
        return await forget(self._store, self._elsewhere, run_id, clock=self._clock, by=by)

    async def result(self, run: Run) -> Any:
        """Return the values of the state of the run's thread, as they are now."""
        compiled = self._catalog.get(run.graph).compile(self._checkpointer)
        state = await compiled.aget_state({"configurable": {"thread_id": run.thread_id}})
        return state.values


def _gate_of(connection: Connection, gate_id: GateId) -> tuple[Gate, Run]:
    gate = gates.get(connection, gate_id)
    return gate, runs.get(connection, gate.run_id)
