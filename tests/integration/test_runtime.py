"""Runs as their users see them: started, parked, decided, cancelled, redriven, taken over."""

import asyncio
import operator
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from penstock.checkpoints import Checkpointer, Store, leases, runs
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import (
    GateClosed,
    IllegalTransition,
    InvalidAnswer,
    InvalidInput,
    RunKeyReused,
    ThreadBusy,
    UnknownGate,
    UnknownGraph,
)
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import GateId, WorkerId
from penstock.contracts.run import Failure, FailureCode, Fence, Run, RunStatus, WhenBusy
from penstock.graphs import Catalog, Graph, declare
from penstock.runs import Pace, Runtime, Worker
from penstock.runs.driver import Driver
from support.allowing import OPEN
from support.runs import NOW

QUICK = Pace(beat_s=0.02, lease_s=5.0, poll_s=0.02)


class Work(TypedDict, total=False):
    steps: Annotated[list[str], operator.add]
    want: int


class Decision(BaseModel):
    verdict: Literal["yes", "no"]
    note: str = ""


class World:
    """What the graphs' nodes do and meet, outside of any run."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.broken = False
        self.held = False
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    def catalog(self) -> Catalog:
        """Return the graphs."""
        return Catalog.of(
            declare(self._chain(), name="chain"),
            declare(self._asking("ask"), name="asking"),
            declare(self._asking("left", "right"), name="asking_twice"),
            declare(self._slow(), name="slow"),
        )

    def _node(self, name: str) -> Callable[[Work], Any]:
        async def node(_: Work) -> dict[str, Any]:
            self.ran.append(name)
            if self.broken and name == "b":
                raise ValueError("the shop is closed")
            return {"steps": [name]}

        return node

    def _chain(self) -> Any:
        graph: Any = StateGraph(Work)
        for name, after in (("a", START), ("b", "a"), ("c", "b")):
            graph.add_node(name, self._node(name))
            graph.add_edge(after, name)
        graph.add_edge("c", END)
        return graph

    def _asking(self, *names: str) -> Any:
        graph: Any = StateGraph(Work)

        def ask(name: str) -> Any:
            async def node(_: Work) -> dict[str, Any]:
                self.ran.append(name)
                said = interrupt({"may I": name}, response_schema=Decision)
                if self.held:
                    self.entered.set()
                    await self.go_on.wait()
                return {"steps": [f"{name}={Decision.model_validate(said).verdict}"]}

            return node

        graph.add_node("end", self._node("end"))
        for name in names:
            graph.add_node(name, ask(name))
            graph.add_edge(START, name)
        graph.add_edge(list(names), "end")
        return graph

    def _slow(self) -> Any:
        graph: Any = StateGraph(Work)

        async def slow(_: Work) -> dict[str, Any]:
            self.ran.append("slow")
            self.entered.set()
            await self.go_on.wait()
            return {"steps": ["slow"]}

        graph.add_node("first", self._node("first"))
        graph.add_node("slow", slow)
        graph.add_edge(START, "first")
        graph.add_edge("first", "slow")
        return graph


class Desk:
    """A runtime with the means to have workers come and go."""

    def __init__(self, store: Store, saver: Checkpointer) -> None:
        self.world = World()
        self.store = store
        self._saver = saver
        self._catalog = self.world.catalog()
        self.runtime = Runtime(store, saver, self._catalog)

    @asynccontextmanager
    async def worker(self, pace: Pace = QUICK) -> AsyncGenerator[Worker]:
        """Have a worker work."""
        worker = Worker(self.store, self._saver, self._catalog, pace=pace, policy=OPEN)
        working = asyncio.create_task(worker.work())
        yield worker
        worker.drain()
        await working

    async def start(self, graph: str = "chain", **options: Any) -> Run:
        """Start a run."""
        return await self.runtime.start(graph, {"want": 1}, actor="ann", **options)

    async def until(self, run: Run, *statuses: RunStatus) -> Run:
        """Wait until a run is in one of these states."""
        async with asyncio.timeout(20):
            while True:
                found = await self.runtime.get(run.id)
                if found.status in statuses:
                    return found
                await asyncio.sleep(0.01)

    async def gate(self, run: Run) -> GateId:
        """Wait until a run waits, and return its first open gate."""
        await self.until(run, RunStatus.WAITING)
        return next(
            gate.id for gate in await self.runtime.gates(run.id) if gate.status is GateStatus.OPEN
        )


@pytest.fixture
def desk(store: Store, saver: Checkpointer) -> Desk:
    return Desk(store, saver)


# ---- start ----


async def test_a_run_is_queued_driven_and_succeeds(desk: Desk) -> None:
    run = await desk.start()
    assert (run.status, run.epoch) == (RunStatus.QUEUED, 0)
    async with desk.worker():
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    assert ended.epoch == 1
    assert (await desk.runtime.result(ended))["steps"] == ["a", "b", "c"]


async def test_many_runs_are_driven_at_once_and_each_ends(desk: Desk) -> None:
    started = [await desk.start() for _ in range(30)]
    async with desk.worker():
        for run in started:
            await desk.until(run, RunStatus.SUCCEEDED)
    assert len(desk.world.ran) == 90


async def test_the_same_key_is_the_same_run(desk: Desk) -> None:
    run = await desk.start(key="order-7")
    assert await desk.start(key="order-7") == run
    assert (await desk.start(key="order-8")).id != run.id
    assert (await desk.start(key="order-7", tenant="other")).id != run.id


async def test_a_key_is_not_used_again_for_something_else(desk: Desk) -> None:
    await desk.start(key="order-7")
    with pytest.raises(RunKeyReused, match="`order-7` already names run"):
        await desk.runtime.start("chain", {"want": 2}, actor="ann", key="order-7")
    with pytest.raises(RunKeyReused):
        await desk.runtime.start("slow", {"want": 1}, actor="ann", key="order-7")


async def test_a_wrong_graph_or_input_queues_nothing(desk: Desk) -> None:
    with pytest.raises(UnknownGraph, match="`chain`"):
        await desk.start("chian")
    with pytest.raises(InvalidInput, match="want"):
        await desk.runtime.start("chain", {"want": "much"}, actor="ann")
    assert await desk.runtime.list() == []


async def test_runs_are_listed_newest_first_by_what_is_asked(desk: Desk) -> None:
    started = [await desk.start() for _ in range(5)]
    other = await desk.start("slow", thread_id="t")
    newest_first = [run.id for run in reversed([*started, other])]
    assert [run.id for run in await desk.runtime.list()] == newest_first
    assert [run.id for run in await desk.runtime.list(graph="slow")] == [other.id]
    assert [run.id for run in await desk.runtime.list(thread_id="t")] == [other.id]
    assert await desk.runtime.list(statuses=[RunStatus.FAILED]) == []
    page = await desk.runtime.list(limit=2)
    rest = await desk.runtime.list(before=page[-1].id)
    assert [run.id for run in (*page, *rest)] == newest_first


# ---- threads ----


async def test_a_second_run_on_a_thread_waits_for_the_first(desk: Desk) -> None:
    first = await desk.start("asking", thread_id="t")
    second = await desk.start("chain", thread_id="t")
    async with desk.worker():
        gate = await desk.gate(first)
        assert (await desk.runtime.get(second.id)).status is RunStatus.QUEUED
        await desk.runtime.decide(gate, {"verdict": "yes"}, by="bob")
        await desk.until(second, RunStatus.SUCCEEDED)
    assert desk.world.ran == ["ask", "ask", "end", "a", "b", "c"]


async def test_a_second_run_on_a_thread_is_refused_if_it_is_not_to_wait(desk: Desk) -> None:
    first = await desk.start(thread_id="t")
    with pytest.raises(ThreadBusy, match=f"busy with run `{first.id}`"):
        await desk.start(thread_id="t", when_busy=WhenBusy.REFUSE)
    assert len(await desk.runtime.list()) == 1


# ---- gates ----


async def test_an_interrupt_parks_the_run_at_a_question_gate(desk: Desk) -> None:
    run = await desk.start("asking")
    async with desk.worker():
        await desk.gate(run)
    (gate,) = await desk.runtime.gates(run.id)
    assert gate.question == '{"may I":"ask"}'
    assert gate.answer_schema is not None
    assert "verdict" in gate.answer_schema
    assert await desk.runtime.open_gates() == [gate]
    waiting = await desk.runtime.get(run.id)
    assert (waiting.worker_id, waiting.lease_expires_at) == (None, None)


async def test_an_answer_lets_the_run_go_on(desk: Desk) -> None:
    run = await desk.start("asking")
    async with desk.worker():
        gate = await desk.gate(run)
        decided = await desk.runtime.decide(gate, {"verdict": "yes"}, by="bob")
        assert (decided.status, decided.decided_by) == (GateStatus.DECIDED, "bob")
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    assert (await desk.runtime.result(ended))["steps"] == ["ask=yes", "end"]


async def test_a_wrong_answer_is_refused_and_the_gate_stays_open(desk: Desk) -> None:
    run = await desk.start("asking")
    async with desk.worker():
        gate = await desk.gate(run)
        for wrong in ({"verdict": "perhaps"}, {}, "yes"):
            with pytest.raises(InvalidAnswer, match="was not decided"):
                await desk.runtime.decide(gate, wrong, by="bob")
        assert (await desk.runtime.open_gates())[0].id == gate
        await desk.runtime.decide(gate, {"verdict": "no"}, by="bob")
        await desk.until(run, RunStatus.SUCCEEDED)


async def test_the_same_answer_again_changes_nothing_and_another_is_refused(desk: Desk) -> None:
    run = await desk.start("asking")
    async with desk.worker():
        gate = await desk.gate(run)
        both = await asyncio.gather(
            *(desk.runtime.decide(gate, {"verdict": "yes"}, by="bob") for _ in range(2))
        )
        assert both[0] == both[1]
        with pytest.raises(GateClosed, match="was decided by `bob`"):
            await desk.runtime.decide(gate, {"verdict": "no"}, by="bob")
        with pytest.raises(GateClosed):
            await desk.runtime.decide(gate, {"verdict": "yes"}, by="eve")
        await desk.until(run, RunStatus.SUCCEEDED)
    with pytest.raises(UnknownGate):
        await desk.runtime.decide(GateId("nothing"), {}, by="bob")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_gates_are_decided_one_by_one_in_any_order(
    desk: Desk, order: tuple[int, int]
) -> None:
    run = await desk.start("asking_twice")
    async with desk.worker():
        await desk.gate(run)
        both = sorted(await desk.runtime.gates(run.id), key=lambda gate: gate.question)
        for position, verdict in zip(order, ("yes", "no"), strict=True):
            await desk.runtime.decide(both[position].id, {"verdict": verdict}, by="bob")
            await desk.until(run, RunStatus.WAITING, RunStatus.SUCCEEDED)
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    left, right = ("yes", "no") if order == (0, 1) else ("no", "yes")
    steps = (await desk.runtime.result(ended))["steps"]
    assert steps == [f"left={left}", f"right={right}", "end"]
    assert len(await desk.runtime.gates(run.id)) == 2


async def test_a_gate_decided_while_its_run_is_on_its_way_to_it_is_heard(desk: Desk) -> None:
    run = await desk.start("asking_twice")
    async with desk.worker():
        await desk.gate(run)
        desk.world.held = True
        first, second = await desk.runtime.gates(run.id)
        await desk.runtime.decide(first.id, {"verdict": "yes"}, by="bob")
        await desk.world.entered.wait()
        await desk.runtime.decide(second.id, {"verdict": "yes"}, by="bob")
        desk.world.go_on.set()
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    # One segment to the gates, one that was under way, one that the second answer is for.
    assert ended.epoch == 3


async def test_two_gates_decided_at_once_are_both_heard(desk: Desk) -> None:
    started = [await desk.start("asking_twice") for _ in range(5)]
    async with desk.worker():
        for run in started:
            await desk.gate(run)
            await asyncio.gather(
                *(
                    desk.runtime.decide(gate.id, {"verdict": "yes"}, by="bob")
                    for gate in await desk.runtime.gates(run.id)
                )
            )
        for run in started:
            await desk.until(run, RunStatus.SUCCEEDED)


# ---- failing, redriving, cancelling ----


async def test_a_node_that_raises_fails_the_run_and_a_redrive_goes_on_from_there(
    desk: Desk,
) -> None:
    desk.world.broken = True
    run = await desk.start()
    async with desk.worker():
        failed = await desk.until(run, RunStatus.FAILED)
        assert failed.failure is not None
        assert failed.failure.code is FailureCode.NODE_FAILED
        assert "ValueError: the shop is closed" in failed.failure.message
        desk.world.broken = False
        await desk.runtime.redrive(run.id, by="ann")
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    assert desk.world.ran == ["a", "b", "b", "c"]
    assert ended.failure is None
    with pytest.raises(IllegalTransition, match="only a failed run can be redriven"):
        await desk.runtime.redrive(run.id, by="ann")


async def test_a_queued_and_a_waiting_run_are_cancelled_at_once(desk: Desk) -> None:
    waiting = await desk.start("asking")
    async with desk.worker():
        gate = await desk.gate(waiting)
    queued = await desk.start()
    for run in (queued, waiting):
        cancelled = await desk.runtime.cancel(run.id, by="ann")
        assert (cancelled.status, cancelled.cancel_by) == (RunStatus.CANCELLED, "ann")
        assert (await desk.runtime.cancel(run.id, by="ann")).status is RunStatus.CANCELLED
    assert (await desk.runtime.gates(waiting.id))[0].status is GateStatus.CANCELLED
    with pytest.raises(GateClosed, match="was cancelled"):
        await desk.runtime.decide(gate, {"verdict": "yes"}, by="bob")


async def test_a_running_run_is_cancelled_within_a_beat(desk: Desk) -> None:
    run = await desk.start("slow")
    async with desk.worker():
        await desk.world.entered.wait()
        asked = await desk.runtime.cancel(run.id, by="ann")
        assert asked.status is RunStatus.RUNNING
        await desk.until(run, RunStatus.CANCELLED)


async def test_a_run_that_was_to_be_cancelled_is_not_given_back_by_a_worker_that_drains(
    desk: Desk,
) -> None:
    run = await desk.start("slow")
    async with desk.worker(replace(QUICK, beat_s=30.0)):
        await desk.world.entered.wait()
        await desk.runtime.cancel(run.id, by="ann")
    assert (await desk.runtime.get(run.id)).status is RunStatus.CANCELLED


async def test_a_redrive_forgets_a_cancellation_that_came_too_late(desk: Desk) -> None:
    desk.world.broken = True
    run = await desk.start()
    lose(desk, times=1)
    await desk.runtime.cancel(run.id, by="ann")
    failure = Failure(code=FailureCode.NODE_FAILED, message="it broke", redrivable=True)
    fence = Fence(run_id=run.id, epoch=1)
    desk.store.write_blocking(
        lambda connection: runs.move(
            connection, fence, RunStatus.FAILED, at=NOW, actor="test", failure=failure
        )
    )
    assert (await desk.runtime.redrive(run.id, by="ann")).cancel_by is None


async def test_a_run_that_is_over_is_not_cancelled(desk: Desk) -> None:
    run = await desk.start()
    async with desk.worker():
        await desk.until(run, RunStatus.SUCCEEDED)
    with pytest.raises(IllegalTransition, match="is succeeded and cannot become cancelled"):
        await desk.runtime.cancel(run.id, by="ann")


# ---- workers that go ----


async def test_a_worker_that_drains_gives_its_runs_back(desk: Desk) -> None:
    run = await desk.start("slow")
    async with desk.worker():
        await desk.world.entered.wait()
    assert (await desk.runtime.get(run.id)).status is RunStatus.QUEUED
    desk.world.go_on.set()
    async with desk.worker():
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    assert desk.world.ran == ["first", "slow", "slow"]
    assert ended.epoch == 2


def lose(desk: Desk, *, times: int) -> None:
    """Have a worker claim what is queued and never be heard of again, so many times."""
    catalog = desk.world.catalog()
    graphs = [(graph.name, str(graph.fingerprint)) for graph in catalog]
    for number in range(times):
        claimed = desk.store.write_blocking(
            lambda connection, number=number: leases.claim(
                connection,
                WorkerId(f"lost-{number}"),
                graphs=graphs,
                limit=9,
                lease_s=-1,
                at=SystemClock().now(),
            )
        )
        assert claimed
        if number < times - 1:
            desk.store.write_blocking(
                lambda connection: leases.sweep(connection, lost_limit=99, at=NOW, actor="test")
            )


async def test_the_runs_of_a_lost_worker_are_taken_over(desk: Desk) -> None:
    run = await desk.start()
    lose(desk, times=1)
    async with desk.worker():
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    assert (ended.epoch, ended.lost_count) == (2, 0)


async def test_the_history_names_the_worker_that_was_lost(desk: Desk) -> None:
    run = await desk.start()
    lose(desk, times=2)
    _, claimed, queued, _ = await desk.runtime.history(run.id)
    assert (claimed.action, queued.action) == ("run.claimed", "run.queued")
    assert queued.detail["lost_worker"] == claimed.actor


async def test_a_run_that_loses_too_many_workers_is_poison_until_it_is_redriven(
    desk: Desk,
) -> None:
    run = await desk.start()
    lose(desk, times=3)
    async with desk.worker():
        failed = await desk.until(run, RunStatus.FAILED)
        assert failed.failure is not None
        assert failed.failure.code is FailureCode.POISON
        assert desk.world.ran == []
        await desk.runtime.redrive(run.id, by="ann")
        await desk.until(run, RunStatus.SUCCEEDED)


async def test_a_run_whose_worker_was_lost_while_it_was_to_be_cancelled_is_cancelled(
    desk: Desk,
) -> None:
    run = await desk.start()
    lose(desk, times=1)
    await desk.runtime.cancel(run.id, by="ann")
    async with desk.worker():
        await desk.until(run, RunStatus.CANCELLED)
    assert desk.world.ran == []


async def test_a_worker_whose_run_was_taken_over_stops_driving_it(desk: Desk) -> None:
    run = await desk.start("slow")
    # However often it is lost before its node begins, it is not given up for that.
    pace = Pace(beat_s=0.05, lease_s=-1, poll_s=0.02, lost_limit=10**6)
    async with desk.worker(pace) as first:
        await desk.world.entered.wait()
        # Its own sweep finds its lease run out; another worker takes the run.
        await desk.until(run, RunStatus.QUEUED, RunStatus.RUNNING)
        desk.world.go_on.set()
        async with desk.worker():
            ended = await desk.until(run, RunStatus.SUCCEEDED, RunStatus.FAILED)
        assert first.id
    assert ended.status in {RunStatus.SUCCEEDED, RunStatus.FAILED}


async def test_a_run_that_ends_just_before_a_beat_is_not_said_to_be_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drive = Driver.drive

    async def end_before_a_beat(self: Driver, *given: Any) -> Run:
        ended = await drive(self, *given)
        worker._heartbeat._apply(dict(worker._driven), [])
        await asyncio.sleep(0)
        return ended

    monkeypatch.setattr(Driver, "drive", end_before_a_beat)
    run = await desk.start()
    async with desk.worker() as worker:
        await desk.until(run, RunStatus.SUCCEEDED)
    assert caplog.messages == []


async def test_a_run_that_a_living_worker_has_given_up_is_taken_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = Driver.drive
    failed: list[Run] = []

    async def fail_once(self: Driver, graph: Graph, run: Run, *others: Any) -> Run:
        if not failed:
            failed.append(run)
            raise RuntimeError("a fault of the runtime itself")
        return await drive(self, graph, run, *others)

    monkeypatch.setattr(Driver, "drive", fail_once)
    run = await desk.start()
    async with desk.worker(Pace(beat_s=0.02, lease_s=4.0, poll_s=0.02)):
        ended = await desk.until(run, RunStatus.SUCCEEDED)
    assert ended.epoch == 2


async def test_a_graph_that_a_worker_does_not_have_is_left_alone(
    desk: Desk, store: Store, saver: Checkpointer
) -> None:
    run = await desk.start("slow")
    changed = Catalog.of(declare(World()._slow(), name="slow", version="2"))
    worker = Worker(store, saver, changed, pace=QUICK, policy=OPEN)
    working = asyncio.create_task(worker.work())
    await asyncio.sleep(0.1)
    assert (await desk.runtime.get(run.id)).status is RunStatus.QUEUED
    worker.drain()
    await working
