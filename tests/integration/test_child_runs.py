"""Runs that other runs have started: they share budgets, end with their parents, act for them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypedDict

import pytest

from penstock.checkpoints import Store
from penstock.contracts.budget import Budget, OnExhaustion, Unit
from penstock.contracts.call import Attempt
from penstock.contracts.errors import IllegalTransition, RunKeyReused, ThreadBusy, UnknownRun
from penstock.contracts.ids import RunId
from penstock.contracts.run import FailureCode, Run, RunMode, RunStatus
from penstock.nodes import tool
from support.runs import Runs
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str


@tool(effect="idempotent")
async def note(text: str) -> str:
    """Note something."""
    return text


async def work(_: State) -> State:
    return {"said": ", ".join([str(await note(text=each)) for each in ("a", "b")])}


def shop_of(store: Store, *nodes: Any, **options: Any) -> Shop:
    return Shop(store, chain_of(State, *(nodes or (work,)), **options))


async def start(shop: Shop, parent: Run | None = None, **options: Any) -> Run:
    parent_id = None if parent is None else parent.id
    return await shop.runtime.start("chain", {}, actor="ann", parent_id=parent_id, **options)


async def spent(shop: Shop, run: Run) -> int:
    account, _ = await shop.runtime.budget(run.id)
    assert account is not None
    return account.balance(Unit.TOOL_CALLS).spent


async def test_what_a_child_uses_all_runs_above_it_use(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop)
    middle = await start(shop, top)
    low = await start(shop, middle)
    apart = await start(shop)
    async with shop.worker():
        for run in (top, middle, low, apart):
            assert (await shop.runtime.wait(run.id)).status is RunStatus.SUCCEEDED
    assert [await spent(shop, run) for run in (top, middle, low, apart)] == [6, 4, 2, 2]


async def test_children_together_do_not_use_more_than_their_parent_may(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop, budget=Budget(tool_calls=7))
    children = [await start(shop, top) for _ in range(5)]
    async with shop.worker():
        ended = [await shop.runtime.wait(run.id) for run in (top, *children)]
    assert await spent(shop, top) == 7
    failed = [run.failure.code for run in ended if run.failure is not None]
    assert set(failed) == {FailureCode.BUDGET_EXHAUSTED}
    assert len(failed) >= 3


async def test_nobody_is_asked_at_a_child_to_raise_the_budget_of_its_parent(store: Store) -> None:
    shop = shop_of(store)
    asking = Budget(tool_calls=0, on_exhaustion=OnExhaustion.GATE)
    top = await start(shop, budget=asking)
    child = await start(shop, top, budget=Budget(on_exhaustion=OnExhaustion.GATE))
    async with shop.worker():
        ended = await shop.runtime.wait(child.id)
        waiting = await shop.runtime.wait(top.id)
    assert (ended.status, waiting.status) == (RunStatus.FAILED, RunStatus.WAITING)
    assert await shop.runtime.gates(child.id) == []


async def test_a_tool_starts_a_child_once(store: Store) -> None:
    started: list[Run] = []

    @tool(effect="idempotent")
    async def delegate(attempt: Attempt) -> str:
        """Have another run do it."""
        options: dict[str, Any] = {"actor": "ann", "parent_id": attempt.run_id}
        options["key"] = attempt.key
        started.extend([await shop.runtime.start("chain", {}, **options) for _ in range(2)])
        return started[0].id

    async def act(_: State) -> State:
        return {"said": str(await delegate()) if not started else "enough"}

    shop = Shop(store, chain_of(State, act))
    top = await start(shop)
    async with shop.worker():
        await shop.runtime.wait(top.id)
        child = await shop.runtime.wait(started[0].id)
        await shop.runtime.wait(top.id)
    assert started[0].id == started[1].id == child.id
    assert (child.parent_id, child.status) == (top.id, RunStatus.SUCCEEDED)
    assert [run.id for run in await shop.runtime.list(parent_id=top.id)] == [child.id]


async def test_what_a_run_has_started_is_cancelled_with_it(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop)
    middle = await start(shop, top)
    low = await start(shop, middle)
    apart = await start(shop)
    await shop.runtime.cancel(top.id, by="bob", reason="a mistake")
    for run in (top, middle, low):
        found = await shop.runtime.get(run.id)
        assert found.status is RunStatus.CANCELLED
        assert (found.cancel_by, found.cancel_reason) == ("bob", "a mistake")
    assert (await shop.runtime.get(apart.id)).status is RunStatus.QUEUED


async def test_a_parent_that_is_driven_is_cancelled_with_its_children(store: Store) -> None:
    began = asyncio.Event()

    async def linger(_: State) -> State:
        began.set()
        await asyncio.Event().wait()
        return {}

    shop = shop_of(store, linger)
    top = await start(shop)
    async with shop.worker():
        await asyncio.wait_for(began.wait(), 90)
        child = await start(shop, top)
        await shop.runtime.cancel(top.id, by="bob")
        assert (await shop.runtime.wait(top.id)).status is RunStatus.CANCELLED
        assert (await shop.runtime.wait(child.id)).status is RunStatus.CANCELLED


async def test_a_run_that_is_asked_to_end_starts_no_others(store: Store, runs: Runs) -> None:
    shop = shop_of(store)
    fence = runs.start("driven")
    await shop.runtime.cancel(fence.run_id, by="bob")
    driven = await shop.runtime.get(fence.run_id)
    assert driven.status is RunStatus.RUNNING
    with pytest.raises(IllegalTransition, match="starts no others"):
        await start(shop, driven, tenant=driven.tenant)


async def test_a_run_whose_time_is_over_starts_no_others(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop, deadline_s=0.001)
    await asyncio.sleep(0.05)
    with pytest.raises(IllegalTransition, match="starts no others"):
        await start(shop, top)


async def test_a_run_that_is_over_or_about_to_be_starts_no_others(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop)
    await shop.runtime.cancel(top.id, by="bob")
    with pytest.raises(IllegalTransition, match="starts no others"):
        await start(shop, top)


async def test_a_child_that_was_started_is_found_by_its_key_though_its_parent_is_over(
    store: Store,
) -> None:
    shop = shop_of(store)
    top = await start(shop)
    child = await start(shop, top, key="k")
    await shop.runtime.cancel(top.id, by="bob")
    assert (await start(shop, top, key="k")).id == child.id
    with pytest.raises(RunKeyReused):
        await start(shop, key="k")


async def test_a_child_does_not_wait_for_its_parent_on_the_same_thread(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop)
    with pytest.raises(ThreadBusy, match="whose child would wait"):
        await start(shop, top, thread_id=top.thread_id)


async def test_a_run_of_another_tenant_is_nobodys_parent(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop, tenant="acme")
    with pytest.raises(UnknownRun):
        await start(shop, top, tenant="other")
    with pytest.raises(UnknownRun):
        await start(shop, replace(top, id=RunId("none")), tenant="acme")


async def test_a_child_acts_for_whom_its_parent_acts_and_simulates_with_it(store: Store) -> None:
    shop = shop_of(store)
    top = await shop.runtime.start("chain", {}, actor="carol", mode=RunMode.SIMULATE)
    child = await start(shop, top)
    assert (child.principal, child.mode) == ("carol", RunMode.SIMULATE)


async def test_a_child_has_no_more_time_than_its_parent_has_left(store: Store) -> None:
    shop = shop_of(store)
    top = await start(shop, deadline_s=100)
    assert top.deadline_at is not None
    by_parent = await start(shop, top, deadline_s=1000)
    assert by_parent.deadline_at is not None
    assert abs(by_parent.deadline_at - top.deadline_at) < timedelta(seconds=0.1)
    own = await start(shop, top, deadline_s=10)
    assert own.deadline_at is not None
    assert own.deadline_at < top.deadline_at
