"""A run's steps are written down, and a run of which nothing is heard does not go on for ever."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.config import get_store, get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt
from pydantic import BaseModel

from penstock.checkpoints import Checkpointer, Store
from penstock.checkpoints.writer import Writer
from penstock.contracts.run import ENDED, FailureCode, Run, RunStatus
from penstock.contracts.step import StepKind, StepStatus
from penstock.graphs import Catalog, Graph, declare
from penstock.runs import BlockingRuntime, Pace, Worker
from support.allowing import OPEN
from support.databases import migrated_sqlite
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str


class Answer(BaseModel):
    ok: bool


def chain(*nodes: Callable[[State], Any], **options: Any) -> Graph:
    """Declare a graph of nodes that run one after another."""
    return chain_of(State, *nodes, **options)


async def first(_: State) -> State:
    return {"said": "first"}


def second(_: State) -> State:
    return {"said": "second"}


async def ask(_: State) -> State:
    interrupt("may I?", response_schema=Answer)
    return {}


async def fail(_: State) -> State:
    raise ValueError("the shop is closed")


def stopping() -> Any:
    """Return a graph that stops before its second node."""
    graph: Any = StateGraph(State)
    graph.add_node("first", first).add_edge(START, "first")
    graph.add_node("second", second).add_edge("first", "second")
    return graph.compile(interrupt_before=["second"])


async def told(shop: Shop, run: Run) -> list[tuple[str, StepStatus]]:
    """Return what is written down of a run's steps."""
    return [(step.node, step.status) for step in await shop.runtime.steps(run.id)]


# ---- steps ----


async def test_each_node_that_ran_is_a_step_with_its_times(store: Store) -> None:
    shop = Shop(store, chain(first, second))
    run = await shop.run()
    found = await shop.runtime.steps(run.id)
    assert [(step.node, step.status) for step in found] == [
        ("first", StepStatus.SUCCEEDED),
        ("second", StepStatus.SUCCEEDED),
    ]
    assert all(step.ended_at and step.started_at <= step.ended_at for step in found)
    assert {(step.run_id, step.epoch) for step in found} == {(run.id, 1)}


async def test_a_step_that_waits_at_a_gate_is_parked_and_then_another_one(store: Store) -> None:
    shop = Shop(store, chain(first, ask))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, {"ok": True}, by="bob")
    async with shop.worker():
        await shop.runtime.wait(run.id)
    assert await told(shop, run) == [
        ("first", StepStatus.SUCCEEDED),
        ("ask", StepStatus.PARKED),
        ("ask", StepStatus.SUCCEEDED),
    ]


async def test_a_step_that_raised_says_what(store: Store) -> None:
    shop = Shop(store, chain(first, fail))
    run = await shop.run()
    step = (await shop.runtime.steps(run.id))[-1]
    assert (step.node, step.status) == ("fail", StepStatus.FAILED)
    assert step.error == "ValueError: the shop is closed"


async def test_a_graph_that_stops_before_a_node_has_not_succeeded(store: Store) -> None:
    shop = Shop(store, declare(stopping(), name="work"))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.INTERNAL
    assert "before `second`" in run.failure.message


async def test_a_graph_in_a_node_that_stops_has_not_succeeded(store: Store) -> None:
    graph: Any = StateGraph(State)
    graph.add_node("inner", stopping()).add_edge(START, "inner")
    shop = Shop(store, declare(graph, name="work"))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.INTERNAL
    assert "before `inner`" in run.failure.message


async def test_the_steps_of_a_subgraph_have_its_path_and_their_kinds(store: Store) -> None:
    inner: Any = StateGraph(State)
    inner.add_node("look", first, metadata={"kind": "plan"})
    inner.add_edge(START, "look")
    outer: Any = StateGraph(State)
    outer.add_node("research", inner.compile())
    outer.add_edge(START, "research")
    shop = Shop(store, declare(outer, name="outer"))
    run = await shop.run()
    found = {step.node: step.kind for step in await shop.runtime.steps(run.id)}
    assert found == {"research|look": StepKind.PLAN, "research": StepKind.OTHER}


async def test_a_step_is_handed_in_after_its_writes_and_before_its_checkpoint(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_in: list[str] = []
    submit = Writer._submit

    def note(self: Writer, request: Any) -> None:
        change = getattr(request.change, "func", request.change)
        handed_in.append(change.__qualname__.partition(".<")[0].rpartition(".")[2])
        submit(self, request)

    monkeypatch.setattr(Writer, "_submit", note)
    # No beat comes between: it would write down what is running.
    await Shop(store, chain(first, second)).run(Pace(beat_s=10))
    told = [one for one in handed_in if one in {"add_writes", "_write", "add_checkpoint"}]
    # Before these there are the input's own.
    assert told[-6:] == 2 * ["add_writes", "_write", "add_checkpoint"]


async def test_a_graph_that_a_synchronous_node_calls_is_told_of_too(store: Store) -> None:
    inner: Any = StateGraph(State)
    inner.add_node("second", second)
    inner.add_edge(START, "second")
    called = inner.compile()

    def call(state: State) -> State:
        return called.invoke(state)

    shop = Shop(store, chain(call))
    run = await shop.run()
    assert sorted(await told(shop, run)) == [
        ("call", StepStatus.SUCCEEDED),
        ("call|second", StepStatus.SUCCEEDED),
    ]


async def test_a_graph_that_is_listened_to_has_its_store(store: Store) -> None:
    async def remember(_: State) -> State:
        await get_store().aput(("notes",), "one", {"text": "kept"})
        return {}

    memory = InMemoryStore()
    builder: Any = StateGraph(State)
    builder.add_node("remember", remember)
    builder.add_edge(START, "remember")
    shop = Shop(store, declare(builder.compile(store=memory), name="chain"))
    assert (await shop.run()).status is RunStatus.SUCCEEDED
    assert memory.get(("notes",), "one") is not None


async def test_a_branch_that_had_finished_is_not_told_of_again(store: Store) -> None:
    graph: Any = StateGraph(State)
    for node in (first, ask):
        graph.add_node(node.__name__, node)
        graph.add_edge(START, node.__name__)
    shop = Shop(store, declare(graph, name="both"))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, {"ok": True}, by="bob")
    async with shop.worker():
        await shop.runtime.wait(run.id)
    assert sorted(await told(shop, run)) == [
        ("ask", StepStatus.PARKED),
        ("ask", StepStatus.SUCCEEDED),
        ("first", StepStatus.SUCCEEDED),
    ]


async def test_a_step_that_takes_long_is_seen_while_it_runs(store: Store) -> None:
    go_on = asyncio.Event()

    async def linger(_: State) -> State:
        await go_on.wait()
        return {}

    shop = Shop(store, chain(linger))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(), asyncio.timeout(20):
        while await told(shop, run) != [("linger", StepStatus.STARTED)]:  # noqa: ASYNC110  (the store tells)
            await asyncio.sleep(0.01)
        go_on.set()
        await shop.runtime.wait(run.id)
    assert await told(shop, run) == [("linger", StepStatus.SUCCEEDED)]


async def test_a_step_that_was_cut_off_stays_begun_and_is_executed_again(store: Store) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def linger(_: State) -> State:
        entered.set()
        await go_on.wait()
        return {}

    shop = Shop(store, chain(linger))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await entered.wait()
    go_on.set()
    async with shop.worker():
        await shop.runtime.wait(run.id)
    found = await shop.runtime.steps(run.id)
    assert [(step.epoch, step.status) for step in found] == [
        (1, StepStatus.STARTED),
        (2, StepStatus.SUCCEEDED),
    ]


# ---- progress ----


async def test_a_run_of_which_nothing_is_heard_fails_and_says_where(store: Store) -> None:
    async def hang(_: State) -> State:
        await asyncio.Event().wait()
        return {}

    shop = Shop(store, chain(first, hang, progress_s=0.1))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.DEADLINE_EXCEEDED
    assert run.failure.redrivable
    assert "`hang` for 0.1 s" in run.failure.message


async def test_a_node_that_writes_to_its_stream_is_heard_of(store: Store) -> None:
    async def work(_: State) -> State:
        for number in range(30):
            get_stream_writer()({"done": number})
            await asyncio.sleep(0.1)
        return {}

    shop = Shop(store, chain(work, progress_s=2))
    assert (await shop.run()).status is RunStatus.SUCCEEDED


async def test_a_synchronous_node_that_writes_to_its_stream_is_heard_of(store: Store) -> None:
    pause = threading.Event()

    def work(_: State) -> State:
        for number in range(30):
            get_stream_writer()({"done": number})
            pause.wait(0.1)
        return {}

    shop = Shop(store, chain(work, progress_s=2))
    assert (await shop.run()).status is RunStatus.SUCCEEDED


@pytest.mark.timeout(240)
def test_a_node_that_blocks_the_loop_keeps_its_leases_and_is_then_taken_over(
    tmp_path: Path,
) -> None:
    url = migrated_sqlite(tmp_path)
    blocked, go_on = threading.Event(), threading.Event()
    began_s = 0.0

    async def block(_: State) -> State:
        nonlocal began_s
        if not blocked.is_set():
            began_s = time.monotonic()
            blocked.set()
            go_on.wait(100)
        return {}

    graph = chain(block, progress_s=3)
    pace = Pace(beat_s=0.1, lease_s=1.5, poll_s=0.02)

    def first_worker() -> None:
        async def work() -> None:
            with Store.open(url) as store:
                worker = Worker(
                    store, Checkpointer(store), Catalog.of(graph), pace=pace, policy=OPEN
                )
                working = asyncio.create_task(worker.work())
                while not go_on.is_set():  # noqa: ASYNC110  (a thread sets it)
                    await asyncio.sleep(0.02)
                worker.drain()
                await working

        asyncio.run(work())

    thread = threading.Thread(target=first_worker)
    with Store.open(url) as store:
        shop = Shop(store, graph)
        with BlockingRuntime(shop.runtime) as runtime:
            run = runtime.start("chain", {}, actor="ann")
            thread.start()
            assert blocked.wait(90)

            async def take_over() -> float:
                async with shop.worker(pace):
                    while (await shop.runtime.get(run.id)).status not in ENDED:  # noqa: ASYNC110  (the store tells)
                        await asyncio.sleep(0.02)
                return time.monotonic()

            taken_s = runtime.run(take_over())
            found = runtime.get(run.id)
            go_on.set()
            thread.join()
            assert (found.status, found.epoch) == (RunStatus.SUCCEEDED, 2)
            # Not when its lease was over: the process lives.
            assert taken_s - began_s > 3
            assert runtime.get(run.id) == found


# ---- the face for scripts ----


def test_a_script_starts_waits_and_decides_without_a_loop(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        shop = Shop(store, chain(first, ask))
        with BlockingRuntime(shop.runtime) as runtime:
            run = runtime.start("chain", {}, actor="ann")
            assert runtime.run(shop.run()).status is RunStatus.WAITING
            (gate, _) = runtime.open_gates()
            runtime.decide(gate.id, {"ok": True}, by="bob")
            actions = [event.action for event in runtime.history(run.id)]
    assert actions == [
        "run.queued",
        "run.claimed",
        "run.waiting",
        "gate.opened",
        "gate.decided",
        "run.queued",
    ]
