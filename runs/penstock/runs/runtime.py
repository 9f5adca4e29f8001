"""The face of the runtime: start and steer runs, decide; to look at them, see `looking`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from pydantic_core import to_json
from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, budgets, gates, ledger, runs
from penstock.contracts.budget import Budget
from penstock.contracts.bulk import SeenRun, seen_run
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import IllegalTransition, InvalidInput, RunStale
from penstock.contracts.fork import Forecast
from penstock.contracts.gate import BudgetAnswer, Gate, GateKind
from penstock.contracts.ids import GateId, RunId, ThreadId, new_run_id
from penstock.contracts.run import Erased, NewRun, Run, RunMode, RunStatus, WhenBusy, read_tags
from penstock.graphs import Catalog, validate_input
from penstock.policies import OpenDirectory, People
from penstock.runs.answers import require_probe
from penstock.runs.authorization import Right, require, require_steering
from penstock.runs.engine import Engine, LocalEngine
from penstock.runs.forks import edited_channels, find_fork_point, forecast, new_fork, write_fork
from penstock.runs.interrupts import check_answer, read_doubt, require_answerer
from penstock.runs.lifecycle import cancel
from penstock.runs.queries import Queries
from penstock.runs.retention import ErasureTarget, forget
from penstock.traces.ids import is_traceparent

TENANT = "default"
"""Whose runs they are where nobody says."""

_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Runtime(Queries):
    """Starts runs of the graphs it knows and acts on them; workers drive them.

    It needs no worker in its process. One that is there and shares the `engine` is told of what is
    queued, so that it does not have to look.
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
        """Act on the runs of `store`; without `people`, whoever comes may answer everything.

        A run that is forgotten is forgotten `elsewhere` too.
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
        given: Any,
        *,
        actor: str,
        key: str | None = None,
        thread_id: str | None = None,
        when_busy: WhenBusy = WhenBusy.WAIT,
        mode: RunMode = RunMode.LIVE,
        tenant: str = TENANT,
        deadline_s: float | None = None,
        budget: Budget | None = None,
        parent_id: RunId | None = None,
        traceparent: str | None = None,
        tags: Collection[str] = (),
    ) -> Run:
        """Queue a run of `graph` with the input `given` and return it.

        With a `key`, the same call again returns the same run. Without a `thread_id` the run has
        a thread of its own. In mode `simulate` its tools only read. It may use what its graph says,
        and no more than `budget` says. After `deadline_s`, or what its graph says, it fails,
        wherever it is; time at gates and in a pause does not count. Its trace links to
        `traceparent`, the span of whoever calls this, as W3C's trace context has it. Lists can be
        filtered by its `tags`, of which there are at most a handful.

        With a `parent_id` it is a child of that run: it acts for the same principal, has its tags
        too, simulates if that one does, has no more time than is left there, uses up the budgets of
        all runs above it too, and is cancelled with them.

        Raises:
            UnknownGraph: there is no such graph.
            IllegalTransition: the parent is over, or about to be.
            NotAllowed: `actor` may not start runs in the tenant.
            InvalidInput: the input does not fit the graph, the deadline is no time, the
                `traceparent` is none, or one of the `tags`; nothing was queued.
            RunKeyReused: the key names a run with another graph, thread, input or mode.
            ThreadBusy: the thread's last run is not over, and the new one is not to wait; or it is
                the thread of its parent.
            UnknownRun: the tenant has no run that is the parent.
            ValueError: the budget is in another currency than that of the graph.
        """
        known = self._catalog.get(graph)
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
        earlier = () if thread_id is None else await self.list(thread_id=thread_id, limit=1)
        checked = validate_input(known, given, continues=bool(earlier))
        allowed = known.budget if budget is None else known.budget.tightened(budget)
        at = self._clock.now()
        run_id = new_run_id(at)
        thread = thread_id or (run_id if key is None else f"{tenant}:{key}")
        new = NewRun(
            id=run_id,
            tenant=tenant,
            key=key,
            thread_id=ThreadId(thread),
            graph=known.name,
            graph_version=known.version,
            fingerprint=str(known.fingerprint),
            input=to_json(checked).decode(),
            mode=mode,
            principal=actor,
            deadline_s=known.deadline_s if deadline_s is None else deadline_s,
            parent_id=parent_id,
            caller=traceparent,
            tags=read_tags(tags),
        )

        def change(connection: Connection) -> Run:
            run, is_new = runs.create(connection, new, when_busy=when_busy, at=at, actor=actor)
            if is_new:
                budgets.open_account(connection, budgets.account_of(run, allowed))
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

        It has a thread of its own, acts for `by`, and may use what its graph says. `edits` are
        values that take the place of those of the state, by their fields. What the other run has
        done is not done again unasked; in mode `simulate`, the default, nothing is done at all.

        Raises:
            UnknownGraph: the run's graph is not here.
            UnknownRun, UnknownCheckpoint: there is no such run, or it has no such checkpoint.
            IllegalTransition: the graph has another shape by now, or nothing follows there.
            NotAllowed: `by` may not steer the run, or start runs in its tenant.
            InvalidInput: the edits do not fit the graph's state; nothing was queued.
        """
        source = await self.get(run_id)
        graph = self._catalog.get(source.graph)
        place = await find_fork_point(self._store, self._checkpointer, graph, source, checkpoint_id)
        at = self._clock.now()
        new = new_fork(place, graph, new_run_id(at), mode=mode, principal=by)
        edited = await edited_channels(self._store, graph, place, edits or {}, new.id)
        told = to_json(edits or {}).decode()

        def change(connection: Connection) -> Run:
            require_steering(self._people, source, by)
            require(self._people, Right.START, by, source.tenant)
            run = write_fork(
                connection, self._checkpointer, place, new, edits=edited, told=told, at=at
            )
            budgets.open_account(connection, budgets.account_of(run, graph.budget))
            self._engine.enqueue(connection, run)
            return run

        run = await self._store.write(change)
        self._engine.wake()
        return run

    async def foresee(
        self,
        run_id: RunId,
        checkpoint_id: str,
        *,
        mode: RunMode = RunMode.SIMULATE,
        is_edited: bool = False,
    ) -> Forecast:
        """Return what a fork at a checkpoint would come to, with nothing done.

        Raises:
            UnknownGraph, UnknownRun, UnknownCheckpoint, IllegalTransition: as `fork`.
        """
        source = await self.get(run_id)
        graph = self._catalog.get(source.graph)
        place = await find_fork_point(self._store, self._checkpointer, graph, source, checkpoint_id)
        return await forecast(self._store, graph, place, mode=mode, is_edited=is_edited)

    async def decide(self, gate_id: GateId, answer: Any, *, by: str) -> Gate:
        """Answer a gate; its run goes on. The same answer again changes nothing.

        What a graph asks is answered by whoever its run acts for, or by an operator; what became of
        a call, and of a budget, by an operator. A cap is raised in the transaction of the answer.
        Gates that ask for an approval take votes: see `Approvals`.

        Raises:
            UnknownGate: there is no such gate.
            VoteRefused: this person may not answer it, or it takes votes.
            InvalidAnswer: the answer does not fit; the gate stays open.
            GateClosed: it was decided otherwise, or its run is over.
            GateNotReady: it asks whether a call happened that may still happen.
        """
        gate, run = await self._store.read(lambda connection: _gate_of(connection, gate_id))
        require_answerer(gate, run, by, self._people)
        checked = check_answer(gate, answer)
        at = self._clock.now()

        def change(connection: Connection) -> Gate:
            # First, as whoever begins a call does: neither then waits for what the other holds.
            runs.lock(connection, run.id)
            decided, is_fresh = gates.decide(connection, gate_id, answer=checked, by=by, at=at)
            if not is_fresh:
                return decided
            if decided.kind is GateKind.IN_DOUBT:
                ledger.resolve(connection, decided, *read_doubt(checked), at=at, by=by)
            gates.apply_answer(connection, decided, at=at, by=by)
            if not _is_stopped(connection, decided, at=at, by=by):
                woken = runs.wake(connection, decided.run_id, at=at, actor=by)
                self._engine.enqueue(connection, woken)
            return decided

        decided = await self._store.write(change)
        self._engine.wake()
        return decided

    async def look_up(self, gate_id: GateId, *, by: str) -> Gate:
        """Have a worker ask the probe of a call in doubt now; return the gate that asks about it.

        What it finds answers the gate by itself; if it cannot tell, that is a line of the story.

        Raises:
            UnknownGate: there is no such gate.
            VoteRefused: this person may not, or no probe of the call is known.
            GateClosed: it was decided, or more became known.
            GateNotReady: the call may still happen.
            IllegalTransition: its run is over, so nobody would look.
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
        """Cancel a run: at once if nobody drives it, else as soon as its worker sees it.

        The runs that it has started are cancelled with it. With `seen`, it has to be as it was
        seen.

        A worker in this process that shares the `engine` sees it now, another within a second. What
        a tool may have done by then is not taken back: such a call is settled, or in doubt.

        Raises:
            IllegalTransition: it is over already.
            NotAllowed: this person may not.
            RunStale: it has changed since it was seen.
            UnknownRun: there is no such run.
        """
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            require_steering(self._people, runs.get(connection, run_id), by)
            _require_seen(connection, run_id, seen)
            return cancel(connection, run_id, at=at, by=by, reason=reason)

        run = await self._store.write(change)
        self._engine.heed()
        return run

    async def pause(self, run_id: RunId, *, by: str, reason: str | None = None) -> Run:
        """Keep a run from going on until it is resumed.

        One that is driven goes back to the queue at its last checkpoint, when the calls that are
        under way have been settled. Its gates stay open and may be decided.

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
        self._engine.heed()
        return run

    async def resume(self, run_id: RunId, *, by: str) -> Run:
        """Let a run that was paused go on; one that was not is left as it is.

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
        """Queue a failed run again, to go on from its last checkpoint.

        With `seen`, as one of many, it has to be as it was seen, without a call in doubt.

        Raises:
            IllegalTransition: it has not failed, or that cannot help it; or a call is in doubt.
            NotAllowed: this person may not.
            RunStale: it has changed since it was seen.
            UnknownRun: there is no such run.
        """
        at = self._clock.now()

        def change(connection: Connection) -> Run:
            require_steering(self._people, runs.get(connection, run_id), by, own=False)
            _require_seen(connection, run_id, seen)
            if seen is not None and ledger.is_doubted(connection, run_id):
                raise IllegalTransition(
                    f"nobody has said yet what became of a call of run `{run_id}`; decide its gate,"
                    " or redrive it alone"
                )
            run = runs.redrive(connection, run_id, at=at, by=by)
            ledger.make_retryable(connection, run_id)
            gates.supersede_for_redrive(connection, run_id, at=at, actor=by)
            self._engine.enqueue(connection, run)
            return run

        run = await self._store.write(change)
        self._engine.wake()
        return run

    async def forget(self, run_id: RunId, *, by: str) -> Sequence[Erased]:
        """Erase what a run was told, has said and done; return what each store did.

        That it was there, what it called and how that ended stays, and so does the audit's chain.
        Done again, it erases what could not be erased before.

        Raises:
            IllegalTransition: it is not over, or people are still to decide what became of a call.
            NotAllowed: this person may not.
            UnknownRun: there is no such run.
        """
        require_steering(self._people, await self.get(run_id), by, own=False)
        return await forget(self._store, self._elsewhere, run_id, clock=self._clock, by=by)

    async def result(self, run: Run) -> Any:
        """Return the state of the run's thread, as its graph has it now."""
        compiled = self._catalog.get(run.graph).compile(self._checkpointer)
        state = await compiled.aget_state({"configurable": {"thread_id": run.thread_id}})
        return state.values


def _require_seen(connection: Connection, run_id: RunId, seen: SeenRun | None) -> None:
    """Keep a run as it is, if it is as it was seen.

    Raises:
        RunStale: it is not.
    """
    if seen is None:
        return
    runs.lock(connection, run_id)
    run = runs.get(connection, run_id)
    if seen_run(run) != seen:
        by = f" by `{run.cancel_by}`" if run.cancel_by is not None else ""
        raise RunStale(
            f"run `{run_id}` was {seen.status} when it was seen, and has changed since: it is"
            f" {run.status}{by} now"
        )


def _is_stopped(connection: Connection, gate: Gate, *, at: datetime, by: str) -> bool:
    """End the run of a gate that waits, if that is what was said there; one that does not hears it.

    Returns whether it was ended.
    """
    run = runs.get(connection, gate.run_id)
    is_stop = gate.kind is GateKind.BUDGET and gates.exhaustion_answer(gate) is BudgetAnswer.STOP
    if not is_stop or run.status is not RunStatus.WAITING:
        return False
    failure = gates.stop_failure(gate)
    runs.move(connection, run.fence, RunStatus.FAILED, at=at, actor=by, failure=failure)
    return True


def _gate_of(connection: Connection, gate_id: GateId) -> tuple[Gate, Run]:
    gate = gates.get(connection, gate_id)
    return gate, runs.get(connection, gate.run_id)
