"""A tool call in a run: recorded, recalled, refused, retried, in doubt, decided."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy, interrupt
from pydantic_core import from_json
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.event import listen

from penstock.checkpoints import Store, ledger
from penstock.contracts.effect import Effect, EffectStatus, ReportKind
from penstock.contracts.errors import GateNotReady, IllegalTransition, InvalidAnswer, VoteRefused
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.run import Run, RunMode, RunStatus
from penstock.graphs import Graph, declare
from penstock.nodes import (
    DidNot,
    Happened,
    IdempotencyKey,
    Permanent,
    Retryable,
    RetryAfter,
    RetryPlan,
    Tool,
    Unknown,
    tool,
)
from penstock.nodes.calls.call import ToolCall
from penstock.nodes.stages.reconcile import Reconcile
from support.ledgers import lands_no_more
from support.shops import QUICK, Shop, chain_of

AT_ONCE = RetryPlan(attempt_limit=3, first_wait_s=0.001, longest_wait_s=0.001)
WHATEVER = RetryPlan(
    attempt_limit=3, first_wait_s=0.001, longest_wait_s=0.001, after=RetryAfter.ANY
)


class State(TypedDict, total=False):
    said: str


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


@dataclass
class World:
    """What the tools did, outside of any run."""

    done: list[str] = field(default_factory=list[str])
    keys: list[str] = field(default_factory=list[str])


def calling(*tools: tuple[Tool[Any], dict[str, Any]]) -> Callable[[State], Any]:
    """Return a node whose code calls tools one after another."""

    async def act(_: State) -> State:
        said = [str(await each.ainvoke(arguments)) for each, arguments in tools]
        return {"said": ",".join(said)}

    return act


async def effects(shop: Shop, run: Run) -> list[tuple[str, EffectStatus, int]]:
    """Return what the ledger has of a run, in the order of the tools' names."""
    found = await shop.runtime.effects(run_id=run.id)
    return sorted((each.tool, each.status, each.attempt) for each in found)


async def test_a_call_is_recorded_with_its_result(store: Store) -> None:
    world = World()

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        return f"receipt {amount}"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert (effect.status, effect.result, effect.attempt) == (
        EffectStatus.SUCCEEDED,
        '"receipt 5"',
        1,
    )
    assert world.done == ["paid 5"]
    _, story = await shop.runtime.effect(effect.key)
    assert [line.kind for line in story] == [ReportKind.STARTED, ReportKind.SUCCEEDED]


async def test_a_node_that_runs_again_does_not_call_again(store: Store) -> None:
    world = World()

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        return "receipt"

    async def act(_: State) -> State:
        receipt = await pay(amount=5)
        return {"said": f"{receipt}, {interrupt('go on?')}"}

    shop = Shop(store, chain_of(State, act))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, "yes", by="bob")
    run = await shop.go_on(run)
    assert (await shop.values(run))["said"] == "receipt, yes"
    assert world.done == ["paid 5"]


async def test_an_untyped_error_of_an_unsafe_tool_puts_it_in_doubt_and_asks(store: Store) -> None:
    world = World()

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        raise ConnectionError("the answer was lost")

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.WAITING
    (gate,) = await shop.runtime.gates(run.id)
    assert gate.kind is GateKind.IN_DOUBT
    assert "the answer was lost" in gate.question
    assert await effects(shop, run) == [("pay", EffectStatus.IN_DOUBT, 1)]


async def in_doubt(store: Store, world: World, **terms: Any) -> tuple[Shop, Run, Any]:
    """Return a run that waits because nobody knows whether its tool happened."""

    @tool(effect="unsafe", **terms)
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        if len(world.done) == 1:
            raise ConnectionError("the answer was lost")
        return "receipt"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    lands_no_more(store)
    return shop, run, gate


async def test_it_happened_says_a_person_and_the_run_goes_on_with_the_result(store: Store) -> None:
    world = World()
    shop, run, gate = await in_doubt(store, world)
    await shop.runtime.decide(gate.id, {"answer": "happened", "result": "by phone"}, by="bob")
    run = await shop.go_on(run)
    assert (await shop.values(run))["said"] == "by phone"
    assert world.done == ["paid 5"]
    assert await effects(shop, run) == [("pay", EffectStatus.SUCCEEDED, 1)]


async def test_it_did_not_says_a_person_and_the_call_has_failed(store: Store) -> None:
    world = World()
    shop, run, gate = await in_doubt(store, world)
    await shop.runtime.decide(gate.id, {"answer": "did_not"}, by="bob")
    run = await shop.go_on(run)
    assert run.failure is not None
    assert "`bob` says that it did not happen" in run.failure.message
    assert world.done == ["paid 5"]


async def test_try_again_says_a_person_and_it_is_tried_with_the_same_key(store: Store) -> None:
    world = World()
    shop, run, gate = await in_doubt(store, world)
    await shop.runtime.decide(gate.id, {"answer": "retry"}, by="bob")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED
    assert world.done == ["paid 5", "paid 5"]
    assert await effects(shop, run) == [("pay", EffectStatus.SUCCEEDED, 2)]


async def test_undo_it_says_a_person_and_it_is_undone_once(store: Store) -> None:
    world = World()

    @tool(effect="unsafe")
    async def pay_back(amount: int) -> str:
        """Pay back."""
        world.done.append(f"paid back {amount}")
        return "undone"

    shop, run, gate = await in_doubt(store, world, compensate=pay_back)
    await shop.runtime.decide(gate.id, {"answer": "compensate"}, by="bob")
    run = await shop.go_on(run)
    assert run.failure is not None
    assert "was undone" in run.failure.message
    assert world.done == ["paid 5", "paid back 5"]
    assert await effects(shop, run) == [
        ("pay", EffectStatus.COMPENSATED, 1),
        ("pay_back", EffectStatus.SUCCEEDED, 1),
    ]


async def test_an_answer_that_is_not_one_of_the_four_is_refused(store: Store) -> None:
    shop, run, gate = await in_doubt(store, World())
    for answer in ({"answer": "perhaps"}, {"answer": "happened"}, {"answer": "compensate"}, "yes"):
        with pytest.raises(InvalidAnswer):
            await shop.runtime.decide(gate.id, answer, by="bob")
    assert await effects(shop, run) == [("pay", EffectStatus.IN_DOUBT, 1)]


async def test_nobody_decides_while_the_attempt_may_still_land(store: Store) -> None:
    @tool(effect="unsafe", timeout_s=60)
    async def pay(amount: int) -> str:
        """Pay."""
        raise ConnectionError(f"the answer about {amount} was lost")

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    with pytest.raises(GateNotReady, match="may still land for 6"):
        await shop.runtime.decide(gate.id, {"answer": "did_not"}, by="bob")
    assert await effects(shop, run) == [("pay", EffectStatus.IN_DOUBT, 1)]
    assert [gate.answer for gate in await shop.runtime.gates(run.id)] == [None]


# ---- classes ----


async def test_a_keyed_call_is_repeated_with_the_same_key(store: Store) -> None:
    world = World()

    @tool(effect="keyed", retry=WHATEVER)
    async def pay(amount: int, key: IdempotencyKey) -> str:
        """Pay."""
        world.keys.append(key)
        if len(world.keys) < 3:
            raise ConnectionError(f"the answer about {amount} was lost")
        return "receipt"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED
    assert await effects(shop, run) == [("pay", EffectStatus.SUCCEEDED, 3)]
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert world.keys == [effect.key] * 3


async def test_a_keyed_call_whose_attempts_are_used_up_is_in_doubt(store: Store) -> None:
    @tool(effect="keyed", retry=WHATEVER)
    async def pay(amount: int, key: IdempotencyKey) -> str:
        """Pay."""
        raise ConnectionError(f"the answer about {amount} was lost {key}")

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.WAITING
    assert await effects(shop, run) == [("pay", EffectStatus.IN_DOUBT, 3)]


async def test_a_keyed_call_has_not_failed_when_an_attempt_before_may_have_happened(
    store: Store,
) -> None:
    world = World()

    @tool(effect="keyed", retry=WHATEVER)
    async def pay(amount: int, key: IdempotencyKey) -> str:
        """Pay."""
        world.keys.append(key)
        if len(world.keys) == 1:
            world.done.append(f"paid {amount}")
            raise ConnectionError("the answer was lost")
        raise Permanent("come back tomorrow")

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.WAITING
    assert await effects(shop, run) == [("pay", EffectStatus.IN_DOUBT, 2)]
    (gate,) = await shop.runtime.gates(run.id)
    assert "come back tomorrow; an attempt before may have happened" in gate.question


async def test_a_keyed_call_goes_on_being_tried_after_an_attempt_that_was_left_open(
    store: Store,
) -> None:
    world = World()

    @tool(effect="keyed", retry=WHATEVER)
    async def pay(amount: int, key: IdempotencyKey) -> str:
        """Pay."""
        world.keys.append(key)
        if len(world.keys) == 1:
            raise ConnectionError("the answer was lost")
        if len(world.keys) == 2:
            raise Retryable("come back later")
        return f"receipt {amount}"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert await effects(shop, run) == [("pay", EffectStatus.SUCCEEDED, 3)]


async def test_an_unsafe_call_is_repeated_only_when_it_said_that_nothing_happened(
    store: Store,
) -> None:
    world = World()

    @tool(effect="unsafe", retry=AT_ONCE)
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(str(amount))
        if len(world.done) == 1:
            raise Retryable("come back later")
        raise ConnectionError("the answer was lost")

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.WAITING
    assert await effects(shop, run) == [("pay", EffectStatus.IN_DOUBT, 2)]


async def test_what_failed_for_good_is_not_tried_again_before_a_redrive(store: Store) -> None:
    world = World()

    @tool(effect="unsafe", retry=AT_ONCE)
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(str(amount))
        if len(world.done) == 1:
            raise Permanent("the account is closed")
        return "receipt"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.failure is not None
    assert "the account is closed" in run.failure.message
    await shop.runtime.redrive(run.id, by="ann")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED
    assert world.done == ["5", "5"]


async def test_a_read_is_recorded_and_nobody_waits_for_that(store: Store) -> None:
    @tool(effect="read")
    async def look(place: str) -> str:
        """Look."""
        return f"seen {place}"

    shop = Shop(store, chain_of(State, calling((look, {"place": "here"}))))
    run = await shop.run()
    assert (await shop.values(run))["said"] == "seen here"
    assert await effects(shop, run) == [("look", EffectStatus.SUCCEEDED, 1)]


async def test_a_read_whose_answer_was_lost_is_made_again(store: Store) -> None:
    world = World()

    @tool(effect="read", retry=WHATEVER)
    async def look(place: str) -> str:
        """Look."""
        world.done.append(place)
        if len(world.done) < 3:
            raise ConnectionError("the answer was lost")
        return f"seen {place}"

    shop = Shop(store, chain_of(State, calling((look, {"place": "here"}))))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert world.done == ["here"] * 3


async def test_a_read_that_failed_for_good_is_not_made_again(store: Store) -> None:
    world = World()

    @tool(effect="read", retry=WHATEVER)
    async def look(place: str) -> str:
        """Look."""
        world.done.append(place)
        raise Permanent("there is no such place")

    shop = Shop(store, chain_of(State, calling((look, {"place": "here"}))))
    run = await shop.run()
    assert run.failure is not None
    assert world.done == ["here"]


async def test_a_transactional_call_leaves_its_mark_with_what_it_did(
    store: Store, tmp_path: Any
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id TEXT)"))
    calls: list[str] = []

    @tool(effect="transactional", database=engine, retry=WHATEVER)
    def order(article: str, connection: Connection) -> int:
        """Order."""
        calls.append(article)
        connection.execute(text("INSERT INTO orders VALUES (:id)"), {"id": article})
        if len(calls) == 1:
            raise Retryable("the shop is busy")
        return 7

    shop = Shop(store, chain_of(State, calling((order, {"article": "A1"}))))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    (effect,) = await shop.runtime.effects(run_id=run.id)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM orders")).scalars().all() == ["A1"]
        marks = connection.execute(text("SELECT key, result FROM penstock_effects")).all()
    engine.dispose()
    assert [tuple(mark) for mark in marks] == [(effect.key, "7")]
    assert calls == ["A1", "A1"]


async def test_a_read_that_was_recorded_is_not_done_again(store: Store) -> None:
    world = World()

    @tool(effect="read")
    async def look(place: str) -> str:
        """Look."""
        world.done.append(place)
        return f"seen {place}"

    async def act(_: State) -> State:
        return {"said": f"{await look(place='here')} {interrupt('go on?')}"}

    shop = Shop(store, chain_of(State, act))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, "yes", by="bob")
    run = await shop.go_on(run)
    assert (await shop.values(run))["said"] == "seen here yes"
    assert world.done == ["here"]


async def test_a_transaction_that_was_committed_is_not_made_again(
    store: Store, tmp_path: Any
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id TEXT)"))
    committed: list[str] = []
    checks: list[int] = []

    def look_at(result: int) -> None:
        checks.append(result)
        if len(checks) == 1:
            raise ConnectionError("the check was cut off")

    @tool(effect="transactional", database=engine, retry=WHATEVER, verify=look_at)
    def order(article: str, connection: Connection) -> int:
        """Order."""
        connection.execute(text("INSERT INTO orders VALUES (:id)"), {"id": article})
        return 7

    def marked(connection: Connection) -> None:
        marks = connection.exec_driver_sql("SELECT result FROM penstock_effects")
        committed.extend(marks.scalars())

    shop = Shop(store, chain_of(State, calling((order, {"article": "A1"}))))
    listen(engine, "commit", marked)
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM orders")).scalars().all() == ["A1"]
    engine.dispose()
    assert await effects(shop, run) == [("order", EffectStatus.SUCCEEDED, 2)]
    assert checks == [7, 7]
    # With every commit the mark has been what it is.
    assert set(committed) == {"7"}


class Probed:
    """A tool whose answer is lost, and a service that can be asked."""

    def __init__(self, finding: Any, retry: RetryPlan = AT_ONCE, *, timeout_s: float = 2.0) -> None:
        self.done: list[int] = []
        self.timeout_s = timeout_s
        self.asked: list[str] = []
        self.finding = finding
        self.retry = retry

    def graph(self) -> Graph:
        """Return a graph that calls it."""

        async def look_up(amount: int, key: IdempotencyKey) -> Happened | DidNot | Unknown:
            self.asked.append(f"{amount} {key[:0]}")
            return self.finding

        @tool(
            effect="probe", probe=look_up, timeout_s=self.timeout_s, margin_s=0.1, retry=self.retry
        )
        async def pay(amount: int) -> str:
            """Pay."""
            self.done.append(amount)
            if len(self.done) == 1:
                raise ConnectionError("the answer was lost")
            return "receipt"

        return chain_of(State, calling((pay, {"amount": 5})))


async def test_a_look_up_that_finds_it_settles_the_doubt(store: Store) -> None:
    probed = Probed(Happened("found"))
    shop = Shop(store, probed.graph())
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        run = await shop.until(run, RunStatus.SUCCEEDED)
    assert (await shop.values(run))["said"] == "found"
    assert (probed.done, len(probed.asked)) == ([5], 1)
    (gate,) = await shop.runtime.gates(run.id)
    assert gate.status is GateStatus.DECIDED


async def test_a_look_up_that_finds_nothing_has_it_tried_again(store: Store) -> None:
    probed = Probed(DidNot())
    shop = Shop(store, probed.graph())
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        run = await shop.until(run, RunStatus.SUCCEEDED)
    assert (await shop.values(run))["said"] == "receipt"
    assert (probed.done, len(probed.asked)) == ([5, 5], 1)


async def test_a_look_up_that_cannot_tell_leaves_it_to_a_person(store: Store) -> None:
    probed = Probed(Unknown("the service is down"))
    shop = Shop(store, probed.graph())
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(), asyncio.timeout(20):
        while not probed.asked:  # noqa: ASYNC110  (the probe tells)
            await asyncio.sleep(0.01)
        run = await shop.until(run, RunStatus.WAITING)
        (effect,) = await shop.runtime.effects(run_id=run.id)
        _, story = await shop.runtime.effect(effect.key)
    assert story[-1].kind is ReportKind.LOOKED_UP
    assert story[-1].detail == "the service is down"
    (gate,) = await shop.runtime.gates(run.id)
    assert gate.status is GateStatus.OPEN
    await shop.runtime.decide(gate.id, {"answer": "happened", "result": "by phone"}, by="bob")
    run = await shop.go_on(run)
    assert (await shop.values(run))["said"] == "by phone"


async def test_a_look_up_is_made_at_once_where_somebody_asks_for_it(store: Store) -> None:
    probed = Probed(Unknown("the service is down"))
    shop = Shop(store, probed.graph())
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(), asyncio.timeout(20):
        while not probed.asked:  # noqa: ASYNC110  (the probe tells)
            await asyncio.sleep(0.01)
        run = await shop.until(run, RunStatus.WAITING)
        (gate,) = await shop.runtime.gates(run.id)
        probed.finding = Happened("found")
        await shop.runtime.look_up(gate.id, by="bob")
        run = await shop.until(run, RunStatus.SUCCEEDED)
    assert (probed.done, len(probed.asked)) == ([5], 2)
    assert (await shop.values(run))["said"] == "found"


async def test_a_call_without_a_probe_is_not_looked_up(store: Store) -> None:
    @tool(effect="unsafe", timeout_s=3, margin_s=0.0)
    async def pay(amount: int) -> str:
        """Pay."""
        raise ConnectionError(f"the answer about {amount} was lost")

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    with pytest.raises(VoteRefused, match="cannot be looked up"):
        await shop.runtime.look_up(gate.id, by="bob")
    assert (await shop.runtime.get(run.id)).status is RunStatus.WAITING


async def test_a_call_of_a_run_that_is_over_is_not_looked_up(store: Store) -> None:
    probed = Probed(Unknown("the service is down"))
    shop = Shop(store, probed.graph())
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.cancel(run.id, by="bob")
    with pytest.raises(IllegalTransition, match="no worker comes"):
        await shop.runtime.look_up(gate.id, by="bob")


async def test_nothing_is_looked_up_while_it_may_still_land(store: Store) -> None:
    asked: list[int] = []

    async def look_up(amount: int) -> DidNot:
        asked.append(amount)
        return DidNot()

    @tool(effect="probe", probe=look_up, timeout_s=60)
    async def pay(amount: int) -> str:
        """Pay."""
        raise ConnectionError(f"the answer about {amount} was lost")

    async def ask(_: State) -> State:
        return {"said": str(interrupt("go on?"))}

    async def act(_: State) -> None:
        await pay(amount=5)

    graph: Any = StateGraph(State)
    graph.add_node(act)
    graph.add_node(ask)
    graph.add_edge(START, "act")
    graph.add_edge(START, "ask")
    shop = Shop(store, declare(graph, name="chain"))
    run = await shop.run()
    gates = {gate.kind: gate for gate in await shop.runtime.gates(run.id)}
    await shop.runtime.decide(gates[GateKind.QUESTION].id, "yes", by="bob")
    run = await shop.go_on(run)
    assert run.status is RunStatus.WAITING, run.failure
    assert asked == []
    assert await effects(shop, run) == [("pay", EffectStatus.IN_DOUBT, 1)]


async def test_an_attempt_that_its_worker_begins_too_late_is_not_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    original, begins = ledger.begin, list[bool]()

    def slow(*args: Any, **kwargs: Any) -> Any:
        begun = original(*args, **kwargs)
        begins.append(begun[1])
        if len(begins) == 1:
            # The worker stands still for longer than the attempt may take.
            threading.Event().wait(4.2)
        return begun

    monkeypatch.setattr(ledger, "begin", slow)

    @tool(effect="unsafe", timeout_s=4, retry=AT_ONCE)
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        return "receipt"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert world.done == ["paid 5"]
    assert await effects(shop, run) == [("pay", EffectStatus.SUCCEEDED, 2)]


async def test_a_call_that_is_under_way_is_joined(store: Store) -> None:
    world = World()
    entered, go_on = asyncio.Event(), asyncio.Event()
    first: list[asyncio.Task[str]] = []

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        entered.set()
        await go_on.wait()
        return "receipt"

    async def act(_: State) -> State:
        if not first:
            first.append(asyncio.create_task(pay.ainvoke({"amount": 5})))
            await entered.wait()
            raise ConnectionResetError("LangGraph tries the node again")
        asyncio.get_running_loop().call_later(1.0, go_on.set)
        return {"said": await pay.ainvoke({"amount": 5})}

    graph: Any = StateGraph(State)
    policy = RetryPolicy(initial_interval=0.01, retry_on=ConnectionResetError)
    graph.add_node("act", act, retry_policy=policy)
    graph.add_edge(START, "act")
    shop = Shop(store, declare(graph, name="chain"))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert await first[0] == (await shop.values(run))["said"] == "receipt"
    assert world.done == ["paid 5"]
    assert await effects(shop, run) == [("pay", EffectStatus.SUCCEEDED, 1)]


# ---- keys ----


async def test_one_key_of_business_is_one_effect_in_all_runs(store: Store) -> None:
    world = World()

    @tool(effect="unsafe", key="refund:{order}")
    async def refund(order: str, amount: int) -> str:
        """Refund."""
        world.done.append(f"{order} {amount}")
        return f"receipt {amount}"

    async def act(state: State) -> State:
        return {"said": await refund(order="A1", amount=int(state.get("said", "5")))}

    shop = Shop(store, chain_of(State, act))
    first = await shop.run(given={"said": "5"})
    same = await shop.run(given={"said": "5"})
    other = await shop.run(given={"said": "6"})
    assert world.done == ["A1 5"]
    assert (await shop.values(first))["said"] == (await shop.values(same))["said"] == "receipt 5"
    assert other.failure is not None
    assert "it was done before as `refund:A1`" in other.failure.message


async def test_a_key_of_business_whose_call_is_in_doubt_is_busy(store: Store) -> None:
    world = World()

    @tool(effect="unsafe", key="refund:{order}")
    async def refund(order: str) -> str:
        """Refund."""
        world.done.append(order)
        raise ConnectionError("the answer was lost")

    shop = Shop(store, chain_of(State, calling((refund, {"order": "A1"}))))
    first = await shop.run()
    second = await shop.run()
    assert first.status is RunStatus.WAITING
    assert second.failure is not None
    assert "the same is under way as `refund:A1`" in second.failure.message
    assert world.done == ["A1"]


async def test_a_copy_of_a_thread_does_not_do_again_what_was_done(store: Store) -> None:
    world = World()

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        return "receipt"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    await shop.saver.acopy_thread(run.thread_id, "copy")
    copied = await shop.runtime.start("chain", {}, actor="ann", thread_id="copy")
    copied = await shop.go_on(copied)
    assert copied.status is RunStatus.WAITING
    (gate,) = await shop.runtime.gates(copied.id)
    assert from_json(gate.question)["rules"] == ["done-before-the-copy"]
    assert world.done == ["paid 5"]


async def test_a_thread_that_was_deleted_leaves_its_name_without_a_past(store: Store) -> None:
    world = World()

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        return "receipt"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    await shop.saver.acopy_thread(run.thread_id, "copy")
    await shop.saver.adelete_thread("copy")
    anew = await shop.runtime.start("chain", {}, actor="ann", thread_id="copy")
    assert (await shop.go_on(anew)).status is RunStatus.SUCCEEDED
    assert world.done == ["paid 5", "paid 5"]


async def test_the_same_call_with_other_arguments_is_a_conflict(store: Store) -> None:
    world = World()
    amounts = iter([5, 6])

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        return "receipt"

    async def act(_: State) -> State:
        await pay(amount=next(amounts))
        return {"said": str(interrupt("go on?"))}

    shop = Shop(store, chain_of(State, act))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, "yes", by="bob")
    run = await shop.go_on(run)
    assert run.failure is not None
    assert "made before with other arguments" in run.failure.message
    assert world.done == ["paid 5"]


# ---- several calls of one message ----


def talking(*calls: tuple[str, dict[str, Any]], tools: list[Tool[Any]]) -> Graph:
    """Return a graph of a model's message with these calls, and a classic `ToolNode`."""
    message = AIMessage(
        "",
        tool_calls=[
            {"name": name, "args": arguments, "id": f"call-{number}"}
            for number, (name, arguments) in enumerate(calls)
        ],
    )
    graph: Any = StateGraph(Talk)
    graph.add_node("plan", lambda _: {"messages": [message]})
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "tools")
    return declare(graph, name="chain")


def answers(values: Any) -> dict[str, str]:
    """Return what the tools told the model, by the call's id."""
    return {
        message.tool_call_id: f"{message.status} {message.text}"
        for message in values["messages"]
        if isinstance(message, ToolMessage)
    }


async def test_calls_of_one_message_are_each_made_once_though_one_waits(store: Store) -> None:
    world = World()

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        if amount == 13:
            raise ConnectionError("the answer was lost")
        return f"receipt {amount}"

    graph = talking(
        ("pay", {"amount": 5}),
        ("pay", {"amount": 13}),
        ("pay", {"amount": 5}),
        tools=[pay],
    )
    shop = Shop(store, graph)
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.WAITING, run.failure
    (gate,) = await shop.runtime.gates(run.id)
    lands_no_more(store)
    await shop.runtime.decide(gate.id, {"answer": "happened", "result": "by phone"}, by="bob")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert answers(await shop.values(run)) == {
        "call-0": "success receipt 5",
        "call-1": "success by phone",
        "call-2": "success receipt 5",
    }
    assert sorted(world.done) == ["paid 13", "paid 5", "paid 5"]


async def test_a_model_is_told_of_a_failure_and_the_run_goes_on(store: Store) -> None:
    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        raise Permanent(f"no account has {amount}")

    shop = Shop(store, talking(("pay", {"amount": 5}), ("pay", {"sum": 5}), tools=[pay]))
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    told = answers(await shop.values(run))
    assert told["call-0"].startswith('error {"code":"tool_permanent","message":"no account has 5"')
    assert told["call-1"].startswith('error {"code":"invalid_arguments"')


async def test_a_segment_ends_only_when_its_calls_have_been_settled(store: Store) -> None:
    """A classic `ToolNode` leaves the others running when one of its calls has raised."""
    world = World()
    go_on = asyncio.Event()

    @tool(effect="unsafe")
    async def slow(amount: int) -> str:
        """Take long."""
        world.done.append(f"began {amount}")
        await go_on.wait()
        world.done.append(f"ended {amount}")
        return "slow"

    @tool(effect="unsafe")
    async def lost(amount: int) -> str:
        """Lose the answer."""
        asyncio.get_running_loop().call_later(0.2, go_on.set)
        raise ConnectionError(f"the answer about {amount} was lost")

    graph = talking(("slow", {"amount": 1}), ("lost", {"amount": 2}), tools=[slow, lost])
    shop = Shop(store, graph)
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.WAITING
    assert world.done == ["began 1", "ended 1"]
    assert await effects(shop, run) == [
        ("lost", EffectStatus.IN_DOUBT, 1),
        ("slow", EffectStatus.SUCCEEDED, 1),
    ]


# ---- deadlines ----


async def test_a_coroutine_that_does_not_end_in_time_is_stopped_and_in_doubt(store: Store) -> None:
    world = World()

    @tool(effect="unsafe", timeout_s=4)
    async def pay(amount: int) -> str:
        """Pay."""
        try:
            await asyncio.Event().wait()
        finally:
            world.done.append(f"stopped {amount}")
        return "never"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.run()
    assert run.status is RunStatus.WAITING
    assert world.done == ["stopped 5"]
    (gate,) = await shop.runtime.gates(run.id)
    assert "did not end within 4 s" in gate.question


async def test_a_blocking_call_that_ends_late_settles_itself_and_the_run_goes_on(
    store: Store,
) -> None:
    world = World()
    go_on = threading.Event()

    @tool(effect="unsafe", timeout_s=3, margin_s=0.2)
    def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        go_on.wait(100)
        return "late receipt"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        run = await shop.until(run, RunStatus.WAITING)
        (gate,) = await shop.runtime.gates(run.id)
        await asyncio.sleep(1.5)
        # Long past its deadline and margin it may still happen, so nobody may say that it did not.
        with pytest.raises(GateNotReady):
            await shop.runtime.decide(gate.id, {"answer": "did_not"}, by="bob")
        go_on.set()
        run = await shop.until(run, RunStatus.SUCCEEDED)
    assert (await shop.values(run))["said"] == "late receipt"
    assert world.done == ["paid 5"]


async def test_a_blocking_call_without_a_margin_may_land_as_long_as_it_goes_on(
    store: Store,
) -> None:
    go_on = threading.Event()

    @tool(effect="unsafe", timeout_s=3, margin_s=0.0)
    def pay(amount: int) -> str:
        """Pay."""
        go_on.wait(100)
        return f"receipt {amount}"

    shop = Shop(store, chain_of(State, calling((pay, {"amount": 5}))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        run = await shop.until(run, RunStatus.WAITING)
        (gate,) = await shop.runtime.gates(run.id)
        await asyncio.sleep(1.2)
        before, began_s = store.commit_count, time.monotonic()
        with pytest.raises(GateNotReady):
            await shop.runtime.decide(gate.id, {"answer": "did_not"}, by="bob")
        await asyncio.sleep(0.2)
        beats = (time.monotonic() - began_s) / QUICK.beat_s
        # What the worker tells of the call must not be a commit each.
        assert store.commit_count - before < 2 * beats + 30
        go_on.set()
        run = await shop.until(run, RunStatus.SUCCEEDED)
    assert (await shop.values(run))["said"] == "receipt 5"


# ---- copies of threads ----


async def copied(store: Store) -> tuple[Shop, World, Run]:
    """Return a run that has paid and waits, and whose thread was copied to `copy`."""
    world = World()

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        world.done.append(f"paid {amount}")
        return f"receipt {amount}"

    async def act(state: Talk) -> dict[str, Any]:
        del state
        asked: Any = {"name": "pay", "args": {"amount": 5}, "id": "call-0"}
        return {"messages": [AIMessage("", id="m1", tool_calls=[asked])]}

    graph: Any = StateGraph(Talk)
    graph.add_node("plan", act)
    graph.add_node("tools", ToolNode([pay]))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "tools")
    shop = Shop(store, declare(graph, name="chain"))
    run = await shop.run(given={"messages": []})
    await shop.saver.acopy_thread(run.thread_id, "copy")
    return shop, world, run


async def test_a_copy_of_a_thread_replays_what_the_thread_did(store: Store) -> None:
    shop, world, _ = await copied(store)
    run = await shop.runtime.start("chain", {"messages": []}, actor="ann", thread_id="copy")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert answers(await shop.values(run)) == {"call-0": "success receipt 5"}
    assert world.done == ["paid 5"]


async def test_a_copy_of_a_thread_does_not_do_the_same_once_more_unasked(store: Store) -> None:
    shop, world, _ = await copied(store)
    other = AIMessage(
        "", id="m2", tool_calls=[{"name": "pay", "args": {"amount": 5}, "id": "call-1"}]
    )
    graph: Any = StateGraph(Talk)
    graph.add_node("plan", lambda _: {"messages": [other]})
    graph.add_node("tools", ToolNode(list(shop.graph.tools.values())))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "tools")
    again = Shop(store, declare(graph, name="again"))
    run = await again.runtime.start("again", {"messages": []}, actor="ann", thread_id="copy")
    run = await again.go_on(run)
    assert run.status is RunStatus.WAITING
    (gate,) = await again.runtime.gates(run.id)
    assert gate.kind is GateKind.APPROVAL
    assert world.done == ["paid 5"]


async def test_a_large_result_is_kept_once_and_comes_back_whole(store: Store) -> None:
    @tool(effect="unsafe")
    async def fetch(number: int) -> str:
        """Fetch."""
        return "x" * 100_000 + str(number)[:0]

    async def act(_: State) -> State:
        first, second = await fetch(number=1), await fetch(number=2)
        go_on = interrupt("go on?")
        return {"said": f"{len(first)} {len(second)} {go_on}"}

    shop = Shop(store, chain_of(State, act))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, "yes", by="bob")
    run = await shop.go_on(run)
    assert (await shop.values(run))["said"] == "100000 100000 yes"
    kept = store.read_blocking(
        lambda connection: connection.execute(text("SELECT count(*) FROM effect_results")).scalar()
    )
    assert kept == 1


# ---- simulated runs ----


async def test_a_simulated_run_reads_and_does_nothing_else(store: Store) -> None:
    world = World()

    @tool(effect="read")
    async def look(amount: int) -> str:
        """Look."""
        world.done.append(f"looked {amount}")
        return "seen"

    @tool(effect="keyed")
    async def pay(amount: int, key: IdempotencyKey) -> str:
        """Pay."""
        world.done.append(f"paid {amount} {key}")
        return "receipt"

    calls = (("look", {"amount": 5}), ("pay", {"amount": 5}))
    shop = Shop(store, talking(*calls, tools=[look, pay]))
    given: Any = {"messages": []}
    run = await shop.runtime.start("chain", given, actor="ann", mode=RunMode.SIMULATE)
    run = await shop.go_on(run)
    told = answers(await shop.values(run))
    assert (run.status, run.mode) == (RunStatus.SUCCEEDED, RunMode.SIMULATE)
    assert told["call-0"] == "success seen"
    assert '"code":"simulated"' in told["call-1"]
    assert "as if it had been" in told["call-1"]
    assert world.done == ["looked 5"]


@pytest.mark.parametrize("finding", [Happened("found"), DidNot()])
async def test_a_look_up_that_a_person_was_quicker_than_counts_for_nothing(
    store: Store, finding: Happened | DidNot
) -> None:
    # It has one attempt, which a slow machine has to begin in time.
    probed = Probed(finding, RetryPlan(attempt_limit=1), timeout_s=3.0)
    shop = Shop(store, probed.graph())
    # Its worker does not sweep again, so that nothing is looked up before somebody decides.
    run = await shop.run(replace(QUICK, beat_s=60, lease_s=120))
    (gate,) = await shop.runtime.gates(run.id)
    await asyncio.sleep(3.2)

    async def decide_first(self: Reconcile, call: ToolCall, effect: Effect) -> Happened | DidNot:
        del self, call, effect
        await shop.runtime.decide(gate.id, {"answer": "happened", "result": "by phone"}, by="bob")
        return finding

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reconcile, "_probe", decide_first)
        run = await shop.go_on(run)
        async with shop.worker():
            run = await shop.until(run, RunStatus.SUCCEEDED)
    assert (await shop.values(run))["said"] == "by phone"


async def test_a_copy_of_a_thread_does_not_wait_at_the_gate_of_another_run(store: Store) -> None:
    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        raise ConnectionError(f"the answer about {amount} was lost")

    asked: Any = {"name": "pay", "args": {"amount": 5}, "id": "call-0"}
    message = AIMessage("", id="m1", tool_calls=[asked])
    graph: Any = StateGraph(Talk)
    graph.add_node("plan", lambda _: {"messages": [message]})
    graph.add_node("tools", ToolNode([pay]))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "tools")
    shop = Shop(store, declare(graph, name="chain"))
    first = await shop.run(given={"messages": []})
    assert first.status is RunStatus.WAITING
    await shop.saver.acopy_thread(first.thread_id, "copy")
    run = await shop.runtime.start("chain", {"messages": []}, actor="ann", thread_id="copy")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert '"code":"in_doubt_elsewhere"' in answers(await shop.values(run))["call-0"]
