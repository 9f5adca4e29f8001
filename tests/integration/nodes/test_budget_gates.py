"""A run whose cap was reached waits at a gate: it is raised there, finished or stopped."""

import asyncio
import contextlib
import json
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy

from penstock.checkpoints import Store, runs
from penstock.contracts.budget import Balance, Budget, OnExhaustion, Unit
from penstock.contracts.errors import GateClosed, OverBudget, ToolRefused
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import FailureCode, Run, RunStatus
from penstock.graphs import declare
from penstock.nodes import tool
from support.models import Talker
from support.shops import Shop, chain_of
from support.spenders import dollars


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]


def asking(**caps: Any) -> Budget:
    """Return a budget about which people are asked."""
    return Budget(on_exhaustion=OnExhaustion.GATE, **caps)


def raised(gate: Gate, by: int) -> dict[str, Any]:
    """Return the answer that raises a cap."""
    return {"type": "raise", "cap": gate.cap, "by": by}


async def the_gate(shop: Shop, run: Run) -> Gate:
    """Return the only open gate of a run."""
    (gate,) = [each for each in await shop.runtime.gates(run.id) if each.status is GateStatus.OPEN]
    assert gate.kind is GateKind.BUDGET
    return gate


async def standing(shop: Shop, run: Run, unit: Unit) -> Balance:
    found, _ = await shop.runtime.budget(run.id)
    assert found is not None
    return found.balance(unit)


def talking(model: Talker) -> Any:
    """Return a node that asks a model, and goes on whatever error comes of it."""

    async def talk(_: State) -> State:
        with contextlib.suppress(Exception):
            return {"said": [str((await model.with_retry().ainvoke("hi")).content)]}
        return {"said": ["went on without"]}

    return talk


async def test_a_model_call_that_does_not_fit_waits_at_a_gate(store: Store) -> None:
    model = Talker()
    shop = Shop(store, chain_of(State, talking(model), budget=asking(tokens=50)))
    run = await shop.run()
    assert run.status is RunStatus.WAITING, run.failure
    gate = await the_gate(shop, run)
    asked = json.loads(gate.question)
    assert (gate.cap, asked["limit"], asked["left"]) == (Unit.TOKENS, 50, 50)
    assert asked["wanted"] > 100
    assert "raise its cap of 50 tokens, finish without it, or stop?" in asked["question"]
    assert model.asked == []


async def test_a_raise_lets_a_model_be_called(store: Store) -> None:
    model = Talker()
    shop = Shop(store, chain_of(State, talking(model), budget=asking(tokens=50)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    await shop.runtime.decide(gate.id, raised(gate, 100_000), by="ann")
    assert (await standing(shop, run, Unit.TOKENS)).cap == 100_050
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert len(model.asked) == 1
    assert (await shop.values(run))["said"] != ["went on without"]
    (event,) = [each for each in await shop.runtime.history(run.id) if "raised" in each.action]
    assert (event.actor, dict(event.detail)) == (
        "ann",
        {"cap": "tokens", "by": 100_000, "to": 100_050},
    )


async def test_a_raise_that_is_used_up_is_asked_about_anew(store: Store) -> None:
    model = Talker()
    graph = chain_of(State, talking(model), budget=asking(tokens=50))
    shop = Shop(store, graph)
    run = await shop.run()
    first = await the_gate(shop, run)
    lacking = json.loads(first.question)["wanted"] - 50
    await shop.runtime.decide(first.id, raised(first, lacking), by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED
    assert (await shop.runtime.decide(first.id, raised(first, lacking), by="ann")).id == first.id
    assert (await standing(shop, run, Unit.TOKENS)).cap == 50 + lacking


async def test_what_does_not_fit_is_refused_where_the_graph_is_to_finish(store: Store) -> None:
    model = Talker()
    shop = Shop(store, chain_of(State, talking(model), budget=asking(tokens=50)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    await shop.runtime.decide(gate.id, {"type": "finish"}, by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await shop.values(run))["said"] == ["went on without"]
    assert model.asked == []
    assert len(await shop.runtime.gates(run.id)) == 1


async def test_a_graph_that_cannot_finish_without_it_ends_as_exhausted(store: Store) -> None:
    async def talk(_: State) -> State:
        return {"said": [str((await Talker().ainvoke("hi")).content)]}

    shop = Shop(store, chain_of(State, talk, budget=asking(tokens=50)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    await shop.runtime.decide(gate.id, {"type": "finish"}, by="ann")
    run = await shop.go_on(run)
    assert run.failure is not None
    assert (run.failure.code, run.failure.redrivable) == (FailureCode.BUDGET_EXHAUSTED, False)


async def test_a_run_that_is_stopped_ends_at_once(store: Store) -> None:
    shop = Shop(store, chain_of(State, talking(Talker()), budget=asking(tokens=50)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    await shop.runtime.decide(gate.id, {"type": "stop"}, by="ann")
    run = await shop.runtime.get(run.id)
    assert run.failure is not None
    assert (run.failure.code, run.failure.redrivable) == (FailureCode.BUDGET_EXHAUSTED, False)
    assert "`ann` has stopped it" in run.failure.message


async def test_a_stop_that_a_run_on_its_way_did_not_hear_ends_it_at_its_next_call(
    store: Store,
) -> None:
    shop = Shop(store, chain_of(State, talking(Talker()), budget=asking(tokens=50)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    store.write_blocking(lambda tx: runs.wake(tx, run.id, at=gate.opened_at, actor="test"))
    await shop.runtime.decide(gate.id, {"type": "stop"}, by="ann")
    run = await shop.go_on(run)
    assert run.failure is not None
    assert run.failure.code is FailureCode.BUDGET_EXHAUSTED


async def test_parallel_branches_wait_at_one_gate(store: Store) -> None:
    models = [Talker() for _ in range(6)]
    graph: Any = StateGraph(State)
    for number, model in enumerate(models):
        graph.add_node(f"n{number}", talking(model), retry_policy=RetryPolicy(max_attempts=3))
        graph.add_edge(START, f"n{number}")
    shop = Shop(store, declare(graph, name="wide", budget=asking(tokens=50)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    await shop.runtime.decide(gate.id, raised(gate, 10_000_000), by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert len((await shop.values(run))["said"]) == 6
    assert [len(model.asked) for model in models] == [1] * 6


class Till:
    """What a tool has done."""

    def __init__(self) -> None:
        self.rung: list[int] = []


def ringing(till: Till, count: int) -> Any:
    """Return a node that calls a tool so many times, at once."""

    @tool(effect="idempotent")
    async def ring(number: int) -> int:
        """Ring it up."""
        till.rung.append(number)
        return number

    graph: Any = StateGraph(State)

    def node(number: int) -> Any:
        async def act(_: State) -> State:
            try:
                await ring.ainvoke({"number": number})
            except ToolRefused as refused:
                return {"said": [refused.outcome.code]}
            return {"said": [str(number)]}

        return act

    for number in range(count):
        graph.add_node(f"n{number}", node(number))
        graph.add_edge(START, f"n{number}")
    return graph


async def test_tool_calls_that_do_not_fit_wait_at_one_gate_and_are_made_after_it(
    store: Store,
) -> None:
    till = Till()
    shop = Shop(store, declare(ringing(till, 5), name="till", budget=asking(tool_calls=2)))
    run = await shop.run()
    assert run.status is RunStatus.WAITING, run.failure
    gate = await the_gate(shop, run)
    assert (gate.cap, len(till.rung)) == (Unit.TOOL_CALLS, 2)
    await shop.runtime.decide(gate.id, raised(gate, 3), by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert sorted(till.rung) == [0, 1, 2, 3, 4]


async def test_a_raise_that_holds_one_more_call_asks_about_the_next(store: Store) -> None:
    till = Till()
    shop = Shop(store, declare(ringing(till, 4), name="till", budget=asking(tool_calls=2)))
    run = await shop.run()
    for rung in (3, 4):
        gate = await the_gate(shop, run)
        await shop.runtime.decide(gate.id, raised(gate, 1), by="ann")
        run = await shop.go_on(run)
        assert len(till.rung) == rung
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert len(await shop.runtime.gates(run.id)) == 2


async def test_tool_calls_are_refused_where_the_graph_is_to_finish(store: Store) -> None:
    till = Till()
    shop = Shop(store, declare(ringing(till, 4), name="till", budget=asking(tool_calls=1)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    await shop.runtime.decide(gate.id, {"type": "finish"}, by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert sorted((await shop.values(run))["said"])[1:] == [OverBudget.code] * 3
    assert len(till.rung) == 1


async def test_two_caps_are_asked_about_at_two_gates(store: Store) -> None:
    till = Till()
    graph = ringing(till, 2)
    graph.add_node("talk", talking(Talker()))
    graph.add_edge(START, "talk")
    shop = Shop(store, declare(graph, name="both", budget=asking(tool_calls=0, tokens=0)))
    run = await shop.run()
    for _ in range(2):
        gates = [g for g in await shop.runtime.gates(run.id) if g.status is GateStatus.OPEN]
        for gate in gates:
            await shop.runtime.decide(gate.id, raised(gate, 100_000), by="ann")
        run = await shop.go_on(run)
        if run.status is RunStatus.SUCCEEDED:
            break
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert {gate.cap for gate in await shop.runtime.gates(run.id)} == {Unit.TOOL_CALLS, Unit.TOKENS}


async def test_a_cancelled_run_takes_no_raise(store: Store) -> None:
    shop = Shop(store, chain_of(State, talking(Talker()), budget=asking(tokens=50)))
    run = await shop.run()
    gate = await the_gate(shop, run)
    await shop.runtime.cancel(run.id, by="bob")
    with pytest.raises(GateClosed, match="was cancelled"):
        await shop.runtime.decide(gate.id, raised(gate, 100_000), by="ann")
    assert (await standing(shop, run, Unit.TOKENS)).cap == 50


async def test_a_run_fails_whose_gate_expires_and_a_redrive_asks_again(store: Store) -> None:
    budget = asking(tokens=50, gate_expires_s=1.0)
    shop = Shop(store, chain_of(State, talking(Talker()), budget=budget))
    run = await shop.run()
    gate = await the_gate(shop, run)
    async with shop.worker():
        run = await shop.until(run, RunStatus.FAILED)
        assert run.failure is not None
        assert run.failure.code is FailureCode.GATE_EXPIRED
        with pytest.raises(GateClosed):
            await shop.runtime.decide(gate.id, raised(gate, 100_000), by="ann")
    await shop.runtime.redrive(run.id, by="ann")
    run = await shop.go_on(run)
    again = await the_gate(shop, run)
    assert again.id != gate.id


async def test_what_no_raise_would_help_is_not_asked_about(store: Store) -> None:
    shop = Shop(store, chain_of(State, talking(Talker()), budget=asking(money=dollars(10**9))))
    run = await shop.run()
    assert run.failure is not None
    assert "no known price" in run.failure.message
    assert await shop.runtime.gates(run.id) == []


async def test_a_run_may_ask_where_its_graph_does_not_and_the_other_way_round(
    store: Store,
) -> None:
    for graphs, own, status in (
        (OnExhaustion.FAIL, OnExhaustion.GATE, RunStatus.WAITING),
        (OnExhaustion.GATE, None, RunStatus.WAITING),
        (OnExhaustion.GATE, OnExhaustion.FAIL, RunStatus.FAILED),
    ):
        budget = Budget(tokens=50, on_exhaustion=graphs)
        graph = chain_of(State, talking(Talker()), name=f"g-{graphs}-{own}", budget=budget)
        shop = Shop(store, graph)
        run = await shop.runtime.start(
            graph.name, {}, actor="ann", budget=Budget(on_exhaustion=own)
        )
        assert (await shop.go_on(run)).status is status


async def test_a_run_that_failed_beside_its_gate_asks_anew_when_it_is_redriven(
    store: Store,
) -> None:
    till, broken = Till(), [True]

    async def fail(_: State) -> State:
        if broken:
            await asyncio.sleep(0.2)
            raise ValueError("the shop is closed")
        return {}

    graph = ringing(till, 1)
    graph.add_node("fail", fail)
    graph.add_edge(START, "fail")
    shop = Shop(store, declare(graph, name="beside", budget=asking(tool_calls=0)))
    run = await shop.run()
    assert run.status is RunStatus.FAILED
    (closed,) = await shop.runtime.gates(run.id)
    assert closed.status is GateStatus.CANCELLED
    broken.clear()
    await shop.runtime.redrive(run.id, by="ann")
    run = await shop.go_on(run)
    gate = await the_gate(shop, run)
    await shop.runtime.decide(gate.id, raised(gate, 1), by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert till.rung == [0]
