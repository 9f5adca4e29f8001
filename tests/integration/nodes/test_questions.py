"""A tool that asks: several calls of one message at once, each with its own answers."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as langchain_tool
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, ToolRuntime
from langgraph.types import interrupt
from pydantic import BaseModel, field_validator
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from penstock.checkpoints import Store, gates, runs
from penstock.contracts.effect import EffectStatus
from penstock.contracts.errors import InvalidAnswer, StoreBroken
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import Graph, declare
from penstock.nodes import Permanent, Retryable, RetryPlan, SecretRef, tool
from penstock.runs import Pace
from support.ledgers import lands_no_more
from support.shops import Shop, chain_of


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    mood: str
    paid: str


TRIPS = ("inn", "ferry", "train")
"""The places that are booked; the ferry asks twice."""

ORDERS = sorted(set(itertools.permutations(("inn", "ferry", "ferry", "train"))))
"""Every order in which their questions can be answered."""


def trip(
    *tools: BaseTool,
    calls: Sequence[tuple[str, dict[str, Any]]],
    beside: dict[str, Any] | None = None,
) -> Graph:
    """Declare a graph whose one message makes these calls, in an ordinary `ToolNode`."""
    message = AIMessage(
        "",
        id="plan",
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
    for name, node in (beside or {}).items():
        graph.add_node(name, node)
        graph.add_edge("plan", name)
    return declare(graph, name="trip")


def told(values: Any) -> list[str]:
    """Return what the tools said."""
    return [each.text for each in values["messages"] if isinstance(each, ToolMessage)]


async def open_gates(shop: Shop, run: Run) -> dict[str, Gate]:
    """Return the open gates of a run by what they ask."""
    found = await shop.runtime.gates(run.id)
    return {gate.question: gate for gate in found if gate.status is GateStatus.OPEN}


async def answer(shop: Shop, run: Run, about: str, said: object) -> None:
    """Answer the open gate whose question names something."""
    (gate,) = [gate for asks, gate in (await open_gates(shop, run)).items() if about in asks]
    lands_no_more(shop.store)
    await shop.runtime.decide(gate.id, said, by="ann")


def booking(kind: str, booked: list[str]) -> BaseTool:
    """Return a tool that asks for a day, and on a ferry for a cabin after that."""

    def ask(place: str) -> str:
        day = interrupt(f"{place}: which day?")
        cabin = f", {interrupt(f'{place}: which cabin?')}" if place == "ferry" else ""
        booked.append(place)
        return f"{place}: {day}{cabin}"

    async def book_async(place: str) -> str:
        """Book."""
        # All calls of the message are in their bodies before the first of them asks.
        await asyncio.sleep(0)
        return ask(place)

    def book_sync(place: str) -> str:
        """Book."""
        return ask(place)

    made: dict[str, BaseTool] = {
        "adopted async": langchain_tool("book")(book_async),
        "adopted sync": langchain_tool("book")(book_sync),
        "async": tool(effect="unsafe", name="book")(book_async),
        "sync": tool(effect="unsafe", name="book")(book_sync),
        "read": tool(effect="read", name="book")(book_async),
    }
    return made[kind]


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """A store for what is tried in every order."""
    with Store.open(sqlite_url) as opened:
        yield opened


KINDS = ("adopted async", "adopted sync", "async", "sync", "read")
SAID = {"inn": ["Mon"], "ferry": ["Tue", "A7"], "train": ["Wed"]}
BOOKED = ["inn: Mon", "ferry: Tue, A7", "train: Wed"]


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_of_one_message_get_their_own_answers_in_any_order(
    sqlite_store: Store, kind: str
) -> None:
    booked: list[str] = []
    graph = trip(booking(kind, booked), calls=[("book", {"place": place}) for place in TRIPS])
    shop = Shop(sqlite_store, graph)
    for order in ORDERS:
        booked.clear()
        run = await shop.run(given={"messages": []})
        assert len(await open_gates(shop, run)) == len(TRIPS), "all ask at once"
        said = {place: iter(answers) for place, answers in SAID.items()}
        for place in order:
            await answer(shop, run, place, next(said[place]))
            run = await shop.go_on(run)
        assert run.status is RunStatus.SUCCEEDED, (order, run.failure)
        assert told(await shop.values(run)) == BOOKED, order
        assert Counter(booked) == Counter(TRIPS), order


async def test_what_is_answered_before_anybody_goes_on_is_not_crossed(store: Store) -> None:
    graph = trip(booking("async", []), calls=[("book", {"place": place}) for place in TRIPS])
    shop = Shop(store, graph)
    run = await shop.run(given={"messages": []})
    for place in ("train", "ferry", "inn"):
        await answer(shop, run, place, SAID[place][0])
    run = await shop.go_on(run)
    assert list(await open_gates(shop, run)) == ['"ferry: which cabin?"']
    await answer(shop, run, "cabin", "A7")
    run = await shop.go_on(run)
    assert told(await shop.values(run)) == BOOKED


async def test_a_call_that_asks_is_shown_as_an_effect_that_waits(store: Store) -> None:
    for kind in ("async", "read"):
        graph = trip(booking(kind, []), calls=[("book", {"place": "inn"})])
        shop = Shop(store, graph)
        run = await shop.run(given={"messages": []})
        (gate,) = await shop.runtime.gates(run.id)
        (effect,) = await shop.runtime.effects(run_id=run.id)
        assert (gate.kind, gate.effect_key) == (GateKind.QUESTION, effect.key)
        assert (effect.status, effect.error_code) == (EffectStatus.FAILED, "asks")
        await shop.runtime.cancel(run.id, by="ann")


async def test_questions_of_calls_of_nodes_and_doubts_are_answered_in_any_order(
    sqlite_store: Store,
) -> None:
    paid: list[str] = []
    booked: list[str] = []

    @tool(effect="unsafe")
    async def pay() -> str:
        """Pay."""
        paid.append("paid")
        raise ConnectionError("the answer was lost")

    async def beside(_: Talk) -> Talk:
        return {"paid": f"{await pay.ainvoke({})}"}

    def ask(_: Talk) -> Talk:
        return {"mood": f"{interrupt('mood: one?')}, {interrupt('mood: two?')}"}

    calls = [("book", {"place": place}) for place in ("inn", "ferry")]
    nodes = {"beside": beside, "ask": ask}
    shop = Shop(sqlite_store, trip(booking("async", booked), calls=calls, beside=nodes))
    said: dict[str, list[object]] = {
        "mood": ["M1", "M2"],
        "ferry": ["Tue", "A7"],
        "inn": ["Mon"],
        "did_it_happen": [{"answer": "happened", "result": "receipt"}],
    }
    orders = sorted(
        set(itertools.permutations([name for name, each in said.items() for _ in each]))
    )
    for order in orders[::12]:
        booked.clear()
        paid.clear()
        run = await shop.run(given={"messages": []})
        left = {name: iter(each) for name, each in said.items()}
        for name in order:
            await answer(shop, run, name, next(left[name]))
            run = await shop.go_on(run)
        assert run.status is RunStatus.SUCCEEDED, (order, run.failure)
        values = await shop.values(run)
        assert (told(values), values["mood"], values["paid"]) == (
            ["inn: Mon", "ferry: Tue, A7"],
            "M1, M2",
            "receipt",
        ), order
        assert (Counter(booked), paid) == (Counter(["inn", "ferry"]), ["paid"]), order


async def test_a_node_that_asks_after_its_calls_does_not_get_their_answers(store: Store) -> None:
    book = booking("async", [])

    async def act(_: Talk) -> Talk:
        first = await book.ainvoke({"place": "inn"})
        mood = interrupt("mood?")
        second = await book.ainvoke({"place": "train"})
        return {"mood": f"{first} {mood} {second}"}

    shop = Shop(store, chain_of(Talk, act, tools=[book]))
    run = await shop.run(given={})
    for about, said in (("inn", "Mon"), ("mood", "good"), ("train", "Wed")):
        await answer(shop, run, about, said)
        run = await shop.go_on(run)
    assert (await shop.values(run))["mood"] == "inn: Mon good train: Wed"


async def test_null_is_an_answer(store: Store) -> None:
    graph = trip(booking("async", []), calls=[("book", {"place": "ferry"})])
    shop = Shop(store, graph)
    run = await shop.run(given={"messages": []})
    for said in (None, "A7"):
        await answer(shop, run, "ferry", said)
        run = await shop.go_on(run)
    assert told(await shop.values(run)) == ["ferry: None, A7"]


class Day(BaseModel):
    name: str
    nights: int

    @field_validator("nights")
    @classmethod
    def _some(cls, nights: int) -> int:
        if nights < 1:
            raise ValueError("stay a night at least")
        return nights


@tool(effect="unsafe")
async def stay(place: str) -> str:
    """Stay."""
    day = interrupt(f"{place}?", response_schema=Day)
    return f"{place}: {day.nights} nights from {day.name}"


async def test_an_answer_of_the_wrong_shape_is_refused_and_one_that_fits_is_typed(
    store: Store,
) -> None:
    shop = Shop(store, trip(stay, calls=[("stay", {"place": "inn"})]))
    run = await shop.run(given={"messages": []})
    with pytest.raises(InvalidAnswer, match=r"does not fit at `\$\.nights`"):
        await answer(shop, run, "inn", {"name": "Mon", "nights": "two"})
    await answer(shop, run, "inn", {"name": "Mon", "nights": 2})
    run = await shop.go_on(run)
    assert told(await shop.values(run)) == ["inn: 2 nights from Mon"]


async def test_an_answer_that_only_the_tool_can_refuse_fails_the_call(store: Store) -> None:
    shop = Shop(store, trip(stay, calls=[("stay", {"place": "inn"})]))
    run = await shop.run(given={"messages": []})
    await answer(shop, run, "inn", {"name": "Mon", "nights": 0})
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    (said,) = told(await shop.values(run))
    assert "answer_refused" in said
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert (effect.status, effect.error_retryable) == (EffectStatus.FAILED, False)


async def test_an_answer_is_for_the_arguments_that_were_asked_about(store: Store) -> None:
    places = iter(["inn", "castle", "castle"])
    book = booking("async", [])

    async def act(_: Talk) -> Talk:
        return {"mood": await book.ainvoke({"place": next(places)})}

    shop = Shop(store, chain_of(Talk, act, tools=[book]))
    run = await shop.run(given={})
    await answer(shop, run, "inn", "Mon")
    run = await shop.go_on(run)
    assert run.status is RunStatus.WAITING, run.failure
    await answer(shop, run, "castle", "Tue")
    run = await shop.go_on(run)
    assert (await shop.values(run))["mood"] == "castle: Tue"


async def test_a_tool_that_is_given_its_config_asks_for_itself_too(store: Store) -> None:
    @langchain_tool
    async def inner(place: str) -> str:
        """Ask."""
        return f"{place}: {interrupt(f'{place}?')}"

    @tool(effect="unsafe")
    async def by_config(place: str, config: RunnableConfig) -> str:
        """Ask."""
        return str(await inner.ainvoke({"place": place}, config))

    @tool(effect="unsafe")
    async def by_runtime(place: str, runtime: ToolRuntime[None, Talk]) -> str:
        """Ask."""
        return str(await inner.ainvoke({"place": place}, runtime.config))

    calls = [
        (each, {"place": f"{each} {number}"})
        for each in ("by_config", "by_runtime")
        for number in (1, 2)
    ]
    shop = Shop(store, trip(by_config, by_runtime, calls=calls))
    run = await shop.run(given={"messages": []})
    found = await open_gates(shop, run)
    assert len(found) == len(calls)
    for asks, gate in found.items():
        await shop.runtime.decide(gate.id, f"yes to {json.loads(asks)}", by="ann")
    run = await shop.go_on(run)
    assert told(await shop.values(run)) == [
        f"{call['place']}: yes to {call['place']}?" for _, call in calls
    ]


async def test_a_call_within_a_call_asks_for_itself(store: Store) -> None:
    book = booking("async", [])

    @tool(effect="unsafe")
    async def travel(place: str) -> str:
        """Travel."""
        how = interrupt(f"how to {place}?")
        return f"{how} {await book.ainvoke({'place': place})} {interrupt(f'back from {place}?')}"

    shop = Shop(store, trip(travel, calls=[("travel", {"place": "inn"})]))
    run = await shop.run(given={"messages": []})
    for about, said in (("how to", "by foot"), ("which day", "Mon"), ("back", "never")):
        await answer(shop, run, about, said)
        run = await shop.go_on(run)
    assert told(await shop.values(run)) == ["by foot inn: Mon never"]


async def test_what_a_transactional_tool_did_before_it_asked_is_undone(store: Store) -> None:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE booked (place TEXT)")

    @tool(effect="transactional", database=engine)
    def book(place: str, connection: Connection) -> str:
        """Book."""
        connection.exec_driver_sql("INSERT INTO booked VALUES (?)", (place,))
        return f"{place}: {interrupt(f'{place}?')}"

    shop = Shop(store, trip(book, calls=[("book", {"place": "inn"})]))
    run = await shop.run(given={"messages": []})
    with engine.begin() as connection:
        assert not connection.exec_driver_sql("SELECT place FROM booked").all()
    await answer(shop, run, "inn", "Mon")
    run = await shop.go_on(run)
    assert told(await shop.values(run)) == ["inn: Mon"]
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT place FROM booked").all() == [("inn",)]


async def test_an_answer_that_comes_before_its_run_waits_lets_it_go_on(store: Store) -> None:
    """LangGraph keeps one interrupt of a task, and here the call of the other gate is answered."""
    asked, is_answered = asyncio.Event(), asyncio.Event()

    @tool(effect="read")
    async def wait() -> str:
        """Wait."""
        if not is_answered.is_set():
            asked.set()
            await is_answered.wait()
        return "waited"

    calls: list[tuple[str, dict[str, Any]]] = [
        ("book", {"place": "inn"}),
        ("book", {"place": "train"}),
        ("wait", {}),
    ]
    shop = Shop(store, trip(booking("async", []), wait, calls=calls))
    run = await shop.runtime.start("trip", {"messages": []}, actor="ann")
    async with shop.worker():
        async with asyncio.timeout(30):
            await asked.wait()
            while len(found := await open_gates(shop, run)) < 2:  # noqa: ASYNC110  (the store tells)
                await asyncio.sleep(0.01)
        await shop.runtime.decide(found['"train: which day?"'].id, "Wed", by="ann")
        is_answered.set()
        run = await shop.until(run, RunStatus.WAITING)
    (effect,) = [
        each
        for each in await shop.runtime.effects(run_id=run.id, tool="book")
        if "train" in each.arguments
    ]
    assert (effect.status, effect.result) == (EffectStatus.SUCCEEDED, '"train: Wed"')


async def test_a_question_that_was_not_stored_is_asked_by_the_next_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([StoreBroken("the disk is gone")])
    ask = gates.open_questions

    def fail_once(*args: Any, **kwargs: Any) -> None:
        for failure in failures:
            raise failure
        ask(*args, **kwargs)

    monkeypatch.setattr(gates, "open_questions", fail_once)
    shop = Shop(store, trip(booking("async", []), calls=[("book", {"place": "inn"})]))
    run = await shop.run(Pace(beat_s=0.02, lease_s=4.0, poll_s=0.02), {"messages": []})
    assert (run.status, run.epoch) == (RunStatus.WAITING, 2)
    await answer(shop, run, "inn", "Mon")
    run = await shop.go_on(run)
    assert told(await shop.values(run)) == ["inn: Mon"]


async def test_what_was_open_when_its_run_failed_is_asked_again_by_a_redrive(store: Store) -> None:
    fails = [False, True, False]

    @tool(effect="idempotent", on_failure="raise")
    async def pay() -> str:
        """Pay."""
        if interrupt("how?") and fails.pop():
            raise Permanent("not today")
        return "paid"

    async def beside(_: Talk) -> Talk:
        return {"paid": await pay.ainvoke({})}

    def ask(_: Talk) -> Talk:
        return {"mood": interrupt("mood?")}

    calls = [("book", {"place": "inn"})]
    nodes = {"beside": beside, "ask": ask}
    shop = Shop(store, trip(booking("async", []), calls=calls, beside=nodes))
    run = await shop.run(given={"messages": []})
    fails.pop()
    await answer(shop, run, "how", "cash")
    run = await shop.go_on(run)
    assert (run.status, len(await open_gates(shop, run))) == (RunStatus.FAILED, 0)
    await shop.runtime.redrive(run.id, by="ann")
    # Where nobody were asked anew, it would be claimed and given back for ever.
    async with asyncio.timeout(12):
        run = await shop.go_on(run)
    assert (run.status, len(await open_gates(shop, run))) == (RunStatus.WAITING, 2)
    await answer(shop, run, "mood", "good")
    run = await shop.go_on(run)
    await answer(shop, run, "inn", "Mon")
    run = await shop.go_on(run)
    values = await shop.values(run)
    assert (told(values), values["mood"], values["paid"]) == (["inn: Mon"], "good", "paid")


async def test_a_graph_that_a_call_runs_is_its_own_though_its_siblings_have_finished(
    store: Store,
) -> None:
    def ask(state: Talk) -> Talk:
        place = state.get("mood")
        return {"mood": f"{place}: {interrupt(f'{place}?')}"}

    inner: Any = StateGraph(Talk)
    graph = inner.add_node("ask", ask).add_edge(START, "ask").compile()

    @tool(effect="unsafe")
    async def look(place: str) -> str:
        """Look."""
        return str((await graph.ainvoke({"mood": place}))["mood"])

    calls = [("look", {"place": place}) for place in TRIPS]
    shop = Shop(store, trip(look, calls=calls))
    run = await shop.run(given={"messages": []})
    for _ in TRIPS:
        # LangGraph keeps one interrupt of a task, so they are asked one after the other.
        (asks,) = await open_gates(shop, run)
        await answer(shop, run, asks, f"yes to {json.loads(asks)}")
        run = await shop.go_on(run)
    assert told(await shop.values(run)) == [f"{place}: yes to {place}?" for place in TRIPS]


async def test_a_graph_that_another_attempt_runs_begins_anew(store: Store) -> None:
    said: list[str] = []

    def say(state: Talk) -> Talk:
        said.append(str(state.get("paid")))
        return {"paid": "paid"}

    inner: Any = StateGraph(Talk)
    graph = inner.add_node("say", say).add_edge(START, "say").compile()

    @tool(effect="idempotent", retry=RetryPlan(attempt_limit=2, first_wait_s=0.001))
    async def look(place: str) -> str:
        """Look."""
        await graph.ainvoke({"mood": place})
        if len(said) == 1:
            raise Retryable("once more")
        return place

    shop = Shop(store, trip(look, calls=[("look", {"place": "inn"})]))
    run = await shop.run(given={"messages": []})
    assert told(await shop.values(run)) == ["inn"]
    assert said == ["None", "None"]


async def test_a_copy_of_a_thread_asks_for_itself(store: Store) -> None:
    booked: list[str] = []
    shop = Shop(store, trip(booking("async", booked), calls=[("book", {"place": "inn"})]))
    run = await shop.run(given={"messages": []})
    await shop.saver.acopy_thread(run.thread_id, "copy")
    copied = await shop.runtime.start("trip", {"messages": []}, actor="ann", thread_id="copy")
    copied = await shop.go_on(copied)
    await answer(shop, copied, "inn", "Mon")
    copied = await shop.go_on(copied)
    assert told(await shop.values(copied)) == ["inn: Mon"]
    assert len(await open_gates(shop, run)) == 1
    await answer(shop, run, "inn", "Tue")
    run = await shop.go_on(run)
    assert told(await shop.values(run)) == ["inn: Mon"], "it was done once"
    assert booked == ["inn"]


async def test_a_worker_without_its_lease_asks_nobody(store: Store) -> None:
    over: list[Run] = []

    @tool(effect="unsafe")
    async def book(place: str) -> str:
        """Book."""
        (run,) = await shop.runtime.list(statuses=[RunStatus.RUNNING])
        over.append(
            await store.write(
                lambda connection: runs.move(
                    connection, run.fence, RunStatus.CANCELLED, at=run.created_at, actor="ann"
                )
            )
        )
        return f"{place}: {interrupt(f'{place}?')}"

    shop = Shop(store, trip(book, calls=[("book", {"place": "inn"})]))
    run = await shop.runtime.start("trip", {"messages": []}, actor="ann")
    async with shop.worker():
        run = await shop.until(run, RunStatus.CANCELLED)
    assert [each.status for each in over] == [RunStatus.CANCELLED]
    assert not await shop.runtime.gates(run.id)


async def test_a_secret_is_not_shown_to_whoever_is_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOK_TOKEN", "canary-0815")

    @tool(effect="unsafe")
    async def book(place: str, token: Annotated[str, SecretRef("BOOK_TOKEN")]) -> str:
        """Book."""
        return str(interrupt(f"{place} with {token}?", response_schema={"title": token}))

    shop = Shop(store, trip(book, calls=[("book", {"place": "inn"})]))
    run = await shop.run(given={"messages": []})
    (gate,) = await shop.runtime.gates(run.id)
    assert (gate.question, gate.answer_schema) == (
        '"inn with \u2039secret\u203a?"',
        '{"title":"\u2039secret\u203a"}',
    )
