"""Only the worker that drives a thread's run writes to the thread."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from sqlalchemy import func, select

from penstock.checkpoints import Checkpointer, Store, fenced
from penstock.checkpoints.schema import checkpoint_writes, checkpoints
from penstock.contracts.errors import ThreadBusy
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence, RunStatus
from penstock.contracts.signals import LeaseLost
from support.graphs import Counted, chain, on_thread
from support.runs import Runs

START_STATE: Any = {"count": 0, "path": []}


def row_counts(store: Store) -> Sequence[int]:
    """Return how many checkpoints and writes are stored."""
    return store.read_blocking(
        lambda connection: [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (checkpoints, checkpoint_writes)
        ]
    )


async def test_a_fenced_run_runs_to_its_end(saver: Checkpointer, runs: Runs) -> None:
    config = fenced(on_thread("t"), runs.start("t"))
    result = await chain(saver, length=3).ainvoke(START_STATE, config, durability="sync")
    assert result["count"] == 3


async def test_a_driver_that_was_taken_over_writes_nothing(
    store: Store, saver: Checkpointer, runs: Runs
) -> None:
    fence = runs.start("t")
    entered, go_on = asyncio.Event(), asyncio.Event()
    graph = StateGraph(Counted)

    async def slow(state: Counted) -> dict[str, Any]:
        entered.set()
        await go_on.wait()
        return {"count": state["count"] + 1, "path": ["slow"]}

    graph.add_node("slow", slow)
    graph.add_edge(START, "slow")
    config = fenced(on_thread("t"), fence)
    driving = asyncio.create_task(
        graph.compile(checkpointer=saver).ainvoke(START_STATE, config, durability="sync")
    )
    await entered.wait()
    runs.take_over(fence)
    before = row_counts(store)
    go_on.set()
    with pytest.raises(LeaseLost):
        await driving
    assert row_counts(store) == before


@pytest.mark.parametrize(
    "status", [RunStatus.WAITING, RunStatus.QUEUED, RunStatus.CANCELLED, RunStatus.SUCCEEDED]
)
async def test_a_run_that_is_not_running_takes_no_checkpoint(
    store: Store, saver: Checkpointer, runs: Runs, status: RunStatus
) -> None:
    fence = runs.start("t")
    runs.move(fence, status)
    with pytest.raises(LeaseLost, match=f"it is {status} at epoch 1"):
        await chain(saver, length=1).ainvoke(
            START_STATE, fenced(on_thread("t"), fence), durability="sync"
        )
    assert row_counts(store) == [0, 0]


async def test_an_epoch_that_was_never_given_is_refused(saver: Checkpointer, runs: Runs) -> None:
    fence = runs.start("t")
    for wrong in (
        Fence(run_id=fence.run_id, epoch=fence.epoch - 1),
        Fence(run_id=fence.run_id, epoch=fence.epoch + 1),
        Fence(run_id=RunId("nobody"), epoch=fence.epoch),
    ):
        with pytest.raises(LeaseLost):
            await chain(saver, length=1).ainvoke(
                START_STATE, fenced(on_thread("t"), wrong), durability="sync"
            )


def count_up(state: Counted) -> dict[str, Any]:
    """Raise the number, as a synchronous node."""
    return {"count": state["count"] + 1, "path": ["n"]}


ATTEMPTS: dict[str, Callable[[Checkpointer], Awaitable[object]]] = {
    "invoke": lambda saver: chain(saver, length=1).ainvoke(
        START_STATE, on_thread("t"), durability="sync"
    ),
    "update": lambda saver: chain(saver, length=1).aupdate_state(
        on_thread("t"), {"count": 9}, "n0"
    ),
    "delete": lambda saver: saver.adelete_thread("t"),
    "prune": lambda saver: saver.aprune(["t"]),
    "prune away": lambda saver: saver.aprune(["t"], strategy="delete"),
    "copy onto": lambda saver: saver.acopy_thread("elsewhere", "t"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_nobody_else_writes_to_the_thread_of_a_live_run(
    store: Store, saver: Checkpointer, runs: Runs, attempt: str
) -> None:
    fence = runs.start("t")
    config = fenced(on_thread("t"), fence)
    await chain(saver, length=1).ainvoke(START_STATE, config, durability="sync")
    before = row_counts(store)
    with pytest.raises(ThreadBusy, match=f"live run `{fence.run_id}`"):
        await ATTEMPTS[attempt](saver)
    assert row_counts(store) == before


async def test_the_checkpoints_of_a_live_run_are_not_deleted_by_its_id(
    store: Store, saver: Checkpointer, runs: Runs
) -> None:
    fence = runs.start("t")
    config = fenced(on_thread("t", run_id=fence.run_id), fence)
    await chain(saver, length=1).ainvoke(START_STATE, config, durability="sync")
    before = row_counts(store)
    with pytest.raises(ThreadBusy):
        await saver.adelete_for_runs([fence.run_id])
    assert row_counts(store) == before
    runs.move(fence, RunStatus.SUCCEEDED)
    await saver.adelete_for_runs([fence.run_id])
    assert row_counts(store) == [0, 0]


async def test_the_thread_of_an_ended_run_is_free(saver: Checkpointer, runs: Runs) -> None:
    runs.move(runs.start("t"), RunStatus.SUCCEEDED)
    result = await chain(saver, length=1).ainvoke(START_STATE, on_thread("t"), durability="sync")
    assert result["count"] == 1


async def test_a_graph_called_on_a_thread_of_its_own_writes_under_the_same_lease(
    saver: Checkpointer, runs: Runs
) -> None:
    fence = runs.start("t")
    inner = chain(saver, length=2)
    outer = StateGraph(Counted)

    async def call(state: Counted) -> dict[str, Any]:
        done = await inner.ainvoke({"count": state["count"], "path": []}, on_thread("side"))
        return {"count": done["count"], "path": done["path"]}

    outer.add_node("call", call)
    outer.add_edge(START, "call")
    graph = outer.compile(checkpointer=saver)
    config = fenced(on_thread("t"), fence)
    assert (await graph.ainvoke(START_STATE, config, durability="sync"))["count"] == 2
    runs.take_over(fence)
    with pytest.raises(LeaseLost):
        await inner.ainvoke(START_STATE, fenced(on_thread("side"), fence), durability="sync")


async def test_a_lease_gives_no_right_to_the_thread_of_another_live_run(
    saver: Checkpointer, runs: Runs
) -> None:
    mine, _ = runs.start("mine"), runs.start("theirs")
    with pytest.raises(ThreadBusy):
        await chain(saver, length=1).ainvoke(
            START_STATE, fenced(on_thread("theirs"), mine), durability="sync"
        )


async def test_a_subgraph_is_fenced_with_its_parent(saver: Checkpointer, runs: Runs) -> None:
    fence = runs.start("t")
    inner = StateGraph(Counted)

    async def lose_lease(state: Counted) -> dict[str, Any]:
        runs.take_over(fence)
        return {"count": state["count"] + 1, "path": []}

    inner.add_node("lose_lease", lose_lease)
    inner.add_edge(START, "lose_lease")
    outer = StateGraph(Counted)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")
    with pytest.raises(LeaseLost):
        await outer.compile(checkpointer=saver).ainvoke(
            START_STATE, fenced(on_thread("t"), fence), durability="sync"
        )


async def test_the_fence_is_not_stored_with_the_checkpoint(saver: Checkpointer, runs: Runs) -> None:
    config = fenced(on_thread("t"), runs.start("t"))
    await chain(saver, length=1).ainvoke(START_STATE, config, durability="sync")
    stored = await saver.aget_tuple(on_thread("t"))
    assert stored is not None
    assert not [key for key in stored.metadata if "fence" in key]


def test_the_synchronous_face_is_fenced_too(saver: Checkpointer, runs: Runs) -> None:
    fence = runs.start("t")
    graph = StateGraph(Counted)
    graph.add_node("n", count_up)
    graph.add_edge(START, "n")
    compiled = graph.compile(checkpointer=saver)
    config = fenced(on_thread("t"), fence)
    assert compiled.invoke(START_STATE, config, durability="sync")["count"] == 1
    runs.take_over(fence)
    with pytest.raises(LeaseLost):
        compiled.invoke(START_STATE, config, durability="sync")
