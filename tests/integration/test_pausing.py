"""Runs that are paused and resumed, and runs whose time is over."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import TimeoutPolicy, interrupt

from penstock.checkpoints import Store, leases, runs
from penstock.contracts.effect import EffectStatus
from penstock.contracts.errors import IllegalTransition, InvalidGraph, InvalidInput
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import FailureCode, Run, RunStatus
from penstock.graphs import declare
from penstock.nodes import Attempt, tool
from support.runs import NOW
from support.shops import QUICK, Shop, chain_of

SOON_S = 90.0
"""Far less than anything here may take, and far more than a busy machine needs."""

NO_BEATS = replace(QUICK, beat_s=600.0, lease_s=1200.0)


class State(TypedDict, total=False):
    said: str


class Held:
    """A node that goes on when it is told to."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.count = 0

    def node(self) -> Callable[[State], Any]:
        async def hold(_: State) -> State:
            self.count += 1
            self.entered.set()
            await self.go_on.wait()
            return {"said": "done"}

        return hold


async def ask(_: State) -> State:
    """Ask."""
    return {"said": str(interrupt("may I?"))}


async def until_queued(shop: Shop, run: Run) -> Run:
    """Wait until a run is in the queue."""
    async with asyncio.timeout(SOON_S):
        while (found := await shop.runtime.get(run.id)).status is not RunStatus.QUEUED:  # noqa: ASYNC110  (the store tells)
            await asyncio.sleep(0.01)
    return found


def take(shop: Shop) -> list[Run]:
    """Claim what is to be had."""
    graphs = [(shop.graph.name, str(shop.graph.fingerprint))]
    return list(
        shop.store.write_blocking(
            lambda connection: leases.claim(
                connection, WorkerId("other"), graphs=graphs, limit=9, lease_s=60, at=NOW
            )
        )
    )


# ---- pauses ----


async def test_a_queued_run_that_is_paused_is_not_claimed_until_it_is_resumed(
    store: Store,
) -> None:
    held = Held()
    held.go_on.set()
    shop = Shop(store, chain_of(State, held.node()))
    run = await shop.runtime.start("chain", {}, actor="ann")
    paused = await shop.runtime.pause(run.id, by="bob", reason="the shop is closed")
    assert (paused.status, paused.pause_by, paused.pause_reason) == (
        RunStatus.QUEUED,
        "bob",
        "the shop is closed",
    )
    assert paused.pause_at is not None
    other = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await shop.until(other, RunStatus.SUCCEEDED)
        assert (await shop.runtime.get(run.id)).epoch == 0
        resumed = await shop.runtime.resume(run.id, by="bob")
        assert (resumed.pause_by, resumed.pause_at, resumed.pause_reason) == (None, None, None)
        await shop.until(run, RunStatus.SUCCEEDED)


async def test_a_run_that_is_paused_while_it_is_driven_goes_back_to_the_queue(
    store: Store,
) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node()))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(NO_BEATS):
        await held.entered.wait()
        assert (await shop.runtime.pause(run.id, by="bob")).status is RunStatus.RUNNING
        run = await until_queued(shop, run)
        assert (run.pause_by, run.epoch) == ("bob", 1)
        held.go_on.set()
        await shop.runtime.resume(run.id, by="bob")
        run = await shop.until(run, RunStatus.SUCCEEDED)
    assert (run.epoch, held.count) == (2, 2)


async def test_a_call_that_is_under_way_is_settled_before_its_run_pauses(store: Store) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()
    paid: list[str] = []

    @tool(effect="unsafe", timeout_s=60.0)
    async def pay() -> str:
        """Pay."""
        entered.set()
        await go_on.wait()
        paid.append("paid")
        return "receipt"

    async def act(_: State) -> State:
        return {"said": await pay()}

    shop = Shop(store, chain_of(State, act))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await entered.wait()
        await shop.runtime.pause(run.id, by="bob")
        go_on.set()
        run = await until_queued(shop, run)
        (effect,) = await shop.runtime.effects(run_id=run.id)
        assert effect.status is EffectStatus.SUCCEEDED
        await shop.runtime.resume(run.id, by="bob")
        await shop.until(run, RunStatus.SUCCEEDED)
    assert paid == ["paid"]


async def test_a_paused_run_whose_gate_is_decided_stays_until_it_is_resumed(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask))
    run = await shop.run()
    await shop.runtime.pause(run.id, by="bob")
    (gate,) = await shop.runtime.gates(run.id)
    assert gate.status is GateStatus.OPEN
    await shop.runtime.decide(gate.id, "yes", by="ann")
    assert take(shop) == []
    assert (await shop.runtime.get(run.id)).status is RunStatus.QUEUED
    await shop.runtime.resume(run.id, by="bob")
    run = await shop.go_on(run)
    assert (await shop.values(run))["said"] == "yes"


async def test_a_paused_run_that_waits_goes_on_waiting_when_it_is_resumed(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask))
    run = await shop.run()
    await shop.runtime.pause(run.id, by="bob")
    assert (await shop.runtime.resume(run.id, by="bob")).status is RunStatus.WAITING


async def test_a_pause_that_is_asked_for_again_keeps_who_asked_first(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask))
    run = await shop.runtime.start("chain", {}, actor="ann")
    first = await shop.runtime.pause(run.id, by="bob", reason="first")
    assert await shop.runtime.pause(run.id, by="eve", reason="second") == first


async def test_pauses_are_in_the_history(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask))
    run = await shop.runtime.start("chain", {}, actor="ann")
    for _ in range(2):
        await shop.runtime.pause(run.id, by="bob", reason="lunch")
    for _ in range(2):
        await shop.runtime.resume(run.id, by="eve")
    _, paused, resumed = await shop.runtime.history(run.id)
    assert (paused.action, paused.actor, paused.detail["reason"]) == ("run.paused", "bob", "lunch")
    assert (resumed.action, resumed.actor) == ("run.resumed", "eve")


async def test_a_run_that_is_over_is_neither_paused_nor_resumed(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask))
    run = await shop.runtime.start("chain", {}, actor="ann")
    await shop.runtime.cancel(run.id, by="ann")
    with pytest.raises(IllegalTransition, match="is cancelled and cannot be paused"):
        await shop.runtime.pause(run.id, by="bob")
    with pytest.raises(IllegalTransition, match="is cancelled and cannot be resumed"):
        await shop.runtime.resume(run.id, by="bob")


async def test_a_paused_run_is_cancelled_at_once(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask))
    run = await shop.runtime.start("chain", {}, actor="ann")
    await shop.runtime.pause(run.id, by="bob")
    assert (await shop.runtime.cancel(run.id, by="ann")).status is RunStatus.CANCELLED


# ---- deadlines ----


async def test_a_run_that_takes_longer_than_it_may_fails_and_says_where(store: Store) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node(), deadline_s=4))
    run = await shop.run(NO_BEATS)
    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code is FailureCode.DEADLINE_EXCEEDED
    assert "its deadline of 4 s came in `hold`" in run.failure.message


async def test_a_redrive_gives_a_late_run_its_time_anew(store: Store) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node(), deadline_s=5))
    run = await shop.run()
    assert run.failure is not None
    held.go_on.set()
    await shop.runtime.redrive(run.id, by="ann")
    assert (await shop.go_on(run)).status is RunStatus.SUCCEEDED


async def test_a_tool_is_stopped_at_the_deadline_of_its_run(store: Store) -> None:
    ended: list[str] = []

    @tool(effect="unsafe", timeout_s=600.0)
    async def wait() -> str:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("stopped")
        return "never"

    async def act(_: State) -> State:
        return {"said": await wait()}

    shop = Shop(store, chain_of(State, act, deadline_s=4))
    async with asyncio.timeout(SOON_S):
        run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.DEADLINE_EXCEEDED
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert (effect.status, ended) == (EffectStatus.IN_DOUBT, ["stopped"])


async def test_a_tool_is_told_of_no_more_time_than_its_run_has(store: Store) -> None:
    told: list[datetime] = []

    @tool(effect="idempotent", timeout_s=600.0)
    async def note(attempt: Attempt) -> str:
        """Take note."""
        told.append(attempt.deadline_at)
        return "noted"

    async def act(_: State) -> State:
        return {"said": await note()}

    shop = Shop(store, chain_of(State, act, deadline_s=90.0))
    run = await shop.run()
    assert told == [run.deadline_at]


async def test_a_run_may_be_given_less_time_than_its_graph_says(store: Store) -> None:
    shop = Shop(store, chain_of(State, Held().node(), deadline_s=600.0))
    run = await shop.runtime.start("chain", {}, actor="ann", deadline_s=0.2)
    run = await shop.go_on(run)
    assert (run.deadline_s, run.status) == (0.2, RunStatus.FAILED)


async def test_time_in_the_queue_counts_and_a_late_run_does_nothing_more(store: Store) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node()))
    run = await shop.runtime.start("chain", {}, actor="ann", deadline_s=0.001)
    run = await shop.go_on(run)
    assert run.failure is not None
    assert run.failure.code is FailureCode.DEADLINE_EXCEEDED


async def test_time_at_a_gate_does_not_count(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask, deadline_s=60.0))
    run = await shop.run()
    assert run.deadline_at is not None
    later = run.changed_at + timedelta(hours=1)
    woken = store.write_blocking(
        lambda connection: runs.wake(connection, run.id, at=later, actor="test")
    )
    assert woken.deadline_at == run.deadline_at + timedelta(hours=1)


async def test_time_in_a_pause_does_not_count_and_none_counts_twice(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask, deadline_s=60.0))
    run = await shop.run()
    assert run.deadline_at is not None
    begun = run.changed_at

    def change(connection: Any) -> Run:
        hour = timedelta(hours=1)
        runs.pause(connection, run.id, at=begun + hour, by="bob")
        runs.wake(connection, run.id, at=begun + 3 * hour, actor="test")
        return runs.resume(connection, run.id, at=begun + 7 * hour, by="bob")

    assert store.write_blocking(change).deadline_at == run.deadline_at + timedelta(hours=7)


async def test_a_step_that_takes_longer_than_it_may_ends_the_run_as_late(store: Store) -> None:
    async def slow(_: State) -> State:
        await asyncio.Event().wait()
        return {}

    graph: Any = StateGraph(State)
    graph.add_node("slow", slow, timeout=TimeoutPolicy(run_timeout=0.1))
    graph.add_edge(START, "slow")
    shop = Shop(store, declare(graph, name="chain"))
    run = await shop.run()
    assert run.failure is not None
    assert (run.failure.code, run.failure.redrivable) == (FailureCode.DEADLINE_EXCEEDED, True)
    assert "`slow`" in run.failure.message


async def test_the_calls_of_a_step_have_no_more_time_than_the_step(store: Store) -> None:
    stopped: list[str] = []

    @tool(effect="unsafe", timeout_s=600)
    async def pay() -> str:
        """Pay."""
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("pay")
        return "never"

    async def act(_: State) -> State:
        return {"said": str(await pay())}

    graph: Any = StateGraph(State)
    graph.add_node("act", act, timeout=TimeoutPolicy(run_timeout=4.0))
    graph.add_edge(START, "act")
    shop = Shop(store, declare(graph, name="chain"))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.DEADLINE_EXCEEDED
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert (effect.status, stopped) == (EffectStatus.IN_DOUBT, ["pay"])
    assert "the time of its step was over" in (effect.error_message or "")


async def test_no_time_at_all_is_refused(store: Store) -> None:
    with pytest.raises(InvalidGraph, match="deadline_s=0"):
        chain_of(State, ask, deadline_s=0)
    shop = Shop(store, chain_of(State, ask))
    with pytest.raises(InvalidInput, match="deadline_s"):
        await shop.runtime.start("chain", {}, actor="ann", deadline_s=0)
