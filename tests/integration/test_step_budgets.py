"""A run keeps to its caps on steps and time, across its segments."""

import asyncio
import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from sqlalchemy import Connection, update

from penstock.checkpoints import Store, budgets, leases
from penstock.checkpoints import runs as stored
from penstock.checkpoints.schema import runs as runs_table
from penstock.contracts.budget import Balance, Budget, OnExhaustion, Unit, run_account
from penstock.contracts.clock import SystemClock
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import FailureCode, Run, RunStatus
from penstock.contracts.signals import BudgetExhausted
from penstock.graphs import declare
from penstock.runs.segment import Allowance, Executed, Segment
from support.runs import NOW, Runs
from support.shops import Shop, chain_of
from support.spenders import own_account


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]


def going_round(until: int, *, budget: Budget, name: str = "round") -> Any:
    """Declare a graph whose one node runs so many times."""

    def act(state: State) -> State:
        return {"said": [str(len(state.get("said", [])))]}

    def more(state: State) -> str:
        return "act" if len(state.get("said", [])) < until else "__end__"

    graph: Any = StateGraph(State)
    graph.add_node("act", act)
    graph.add_edge(START, "act")
    graph.add_conditional_edges("act", more)
    return declare(graph, name=name, budget=budget)


async def standing(shop: Shop, run: Run, unit: Unit) -> Balance:
    found, _ = await shop.runtime.budget(run.id)
    assert found is not None
    return found.balance(unit)


async def open_gates(shop: Shop, run: Run) -> list[Gate]:
    return [each for each in await shop.runtime.gates(run.id) if each.status is GateStatus.OPEN]


def more(gate: Gate, by: int) -> dict[str, Any]:
    return {"type": "raise", "cap": gate.cap, "by": by}


@pytest.mark.parametrize("cap", [0, 1, 4])
async def test_a_run_takes_no_step_more_than_its_cap(store: Store, cap: int) -> None:
    shop = Shop(store, going_round(100, budget=Budget(steps=cap)))
    run = await shop.run()
    assert run.failure is not None
    assert (run.failure.code, run.failure.redrivable) == (FailureCode.BUDGET_EXHAUSTED, False)
    assert "`act` may take 1 step, and the budget of the run has 0 left" in run.failure.message
    assert (await standing(shop, run, Unit.STEPS)).spent == cap
    assert len((await shop.values(run)).get("said", [])) == cap


async def test_a_run_may_take_as_many_steps_as_its_cap(store: Store) -> None:
    shop = Shop(store, going_round(4, budget=Budget(steps=4)))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure


async def test_without_a_cap_a_graph_may_go_round_as_long_as_it_takes(store: Store) -> None:
    shop = Shop(store, going_round(60, budget=Budget(steps=None)))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure


async def test_branches_that_do_not_all_fit_do_not_begin(store: Store) -> None:
    begun: list[int] = []
    graph: Any = StateGraph(State)
    for number in range(3):
        graph.add_node(f"n{number}", lambda _, number=number: begun.append(number))
        graph.add_edge(START, f"n{number}")
    shop = Shop(store, declare(graph, name="wide", budget=Budget(steps=2)))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.BUDGET_EXHAUSTED
    assert begun == []


async def test_steps_of_subgraphs_count_in_threads_too(store: Store) -> None:
    inner: Any = StateGraph(State)
    inner.add_node("a", lambda _: {"said": ["a"]})
    inner.add_node("b", lambda _: {"said": ["b"]})
    inner.add_edge(START, "a").add_edge("a", "b")
    compiled = inner.compile()

    def call(_: State) -> State:
        return compiled.invoke({})

    shop = Shop(store, chain_of(State, call, budget=Budget(steps=2)))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.BUDGET_EXHAUSTED
    assert "`b` may take 1 step," in run.failure.message


def asking(times: int) -> Callable[[State], State]:
    def ask(_: State) -> State:
        return {"said": [str(interrupt(f"question {number}")) for number in range(times)]}

    return ask


async def test_a_step_that_waits_for_people_is_one_step(store: Store) -> None:
    shop = Shop(store, chain_of(State, asking(2), budget=Budget(steps=1)))
    run = await shop.run()
    for _ in range(2):
        (gate,) = await open_gates(shop, run)
        await shop.runtime.decide(gate.id, "yes", by="ann")
        run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await standing(shop, run, Unit.STEPS)).spent == 1


async def test_steps_are_raised_at_a_gate(store: Store) -> None:
    budget = Budget(steps=2, on_exhaustion=OnExhaustion.GATE)
    shop = Shop(store, going_round(5, budget=budget))
    run = await shop.run()
    for by in (2, 1):
        (gate,) = await open_gates(shop, run)
        assert gate.cap is Unit.STEPS
        await shop.runtime.decide(gate.id, more(gate, by), by="ann")
        run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await shop.values(run))["said"] == ["0", "1", "2", "3", "4"]


async def test_a_cap_that_was_raised_meanwhile_is_found_out(store: Store) -> None:
    async def first(_: State, config: RunnableConfig) -> State:
        account = run_account(RunId(config.get("configurable", {})["run_id"]))
        await store.write(
            lambda tx: budgets.raise_cap(tx, account, Unit.STEPS, by=1, at=NOW, actor="ann")
        )
        return {"said": ["first"]}

    async def second(_: State) -> State:
        return {"said": ["second"]}

    budget = Budget(steps=1, on_exhaustion=OnExhaustion.GATE)
    shop = Shop(store, chain_of(State, first, second, budget=budget))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await shop.values(run))["said"] == ["first", "second"]
    assert await shop.runtime.gates(run.id) == []


async def test_a_run_that_takes_longer_than_its_cap_is_stopped(store: Store) -> None:
    async def linger(_: State) -> State:
        await asyncio.sleep(60)
        return {}

    shop = Shop(store, chain_of(State, linger, budget=Budget(wall_s=1)))
    run = await shop.run()
    assert run.failure is not None
    assert (run.failure.code, run.failure.redrivable) == (FailureCode.BUDGET_EXHAUSTED, False)
    assert (await standing(shop, run, Unit.WALL_MS)).spent >= 1000


async def test_no_time_is_no_time(store: Store) -> None:
    shop = Shop(store, going_round(100, budget=Budget(wall_s=0)))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.BUDGET_EXHAUSTED


async def test_time_at_a_gate_does_not_count(store: Store) -> None:
    shop = Shop(store, chain_of(State, asking(1), budget=Budget(wall_s=20)))
    run = await shop.run()
    await asyncio.sleep(1.5)
    before = await standing(shop, run, Unit.WALL_MS)
    (gate,) = await open_gates(shop, run)
    await shop.runtime.decide(gate.id, "yes", by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    after = await standing(shop, run, Unit.WALL_MS)
    assert before.spent < after.spent


async def test_time_is_raised_at_a_gate(store: Store) -> None:
    lingers = [True]

    async def linger(_: State) -> State:
        if lingers:
            await asyncio.sleep(60)
        return {"said": ["done"]}

    budget = Budget(wall_s=0.5, on_exhaustion=OnExhaustion.GATE)
    shop = Shop(store, chain_of(State, linger, budget=budget))
    run = await shop.run()
    (gate,) = await open_gates(shop, run)
    assert gate.cap is Unit.WALL_MS
    lingers.clear()
    await shop.runtime.decide(gate.id, more(gate, 60_000), by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await shop.values(run))["said"] == ["done"]


@pytest.mark.parametrize(("lease_s", "counted_s"), [(50.0, 7.0), (3.0, 3.0)])
def test_the_time_of_a_lost_worker_counts_to_the_end_of_its_lease(
    store: Store, runs: Runs, lease_s: float, counted_s: float
) -> None:
    fence = runs.start("t")
    account = own_account(fence.run_id, Budget())
    now = SystemClock().now() - timedelta(hours=1)
    of_run = update(runs_table).where(runs_table.c.id == fence.run_id)
    leased = {"changed_at": now, "lease_expires_at": now + timedelta(seconds=lease_s)}

    def lose(tx: Connection) -> None:
        budgets.open_account(tx, account)
        tx.execute(of_run.values(**leased))
        (lost,) = leases.sweep(tx, lost_limit=3, at=now + timedelta(seconds=7), actor="another")
        assert lost.id == fence.run_id

    store.write_blocking(lose)
    found = store.read_blocking(lambda tx: budgets.statement(tx, account.id))
    assert found is not None
    assert found.balance(Unit.WALL_MS).spent == counted_s * 1000


WELL: Mapping[str, Any] = {"error": None, "interrupts": ()}


def test_steps_of_segments_before_count_and_those_told_of_again_do_not(
    store: Store, runs: Runs
) -> None:
    fence = runs.start("t")
    run = store.read_blocking(lambda tx: stored.get(tx, fence.run_id))
    allowance = Allowance(run=run, steps=3, executed=Executed(count=2, succeeded={"one"}))
    segment = Segment(store, SystemClock(), run, {}, allowance=allowance)
    for task in ("one", "three", "three"):
        segment.admit("tasks", {"id": task, "name": "act"})
    segment.admit("tasks", {"id": "three", "name": "act", "result": [], **WELL})
    segment.admit("custom", None)
    with pytest.raises(BudgetExhausted):
        segment.admit("tasks", {"id": "four", "name": "act"})
