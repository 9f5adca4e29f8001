"""Models and tools are called within the budget of their run, in any graph."""

import contextlib
import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from penstock.checkpoints import Store, budgets
from penstock.contracts.budget import Amounts, Balance, Budget, Hold, HoldKind, Money, Price, Unit
from penstock.contracts.policy import Spend
from penstock.contracts.run import FailureCode, Run, RunStatus
from penstock.graphs import declare
from penstock.nodes import Cost, Retryable, RetryPlan, Tool, tool
from penstock.policies.facts import minor_units
from support.models import USED, ServiceError, Streamer, Talker, cached
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


Ask = Callable[[Any], Any]


async def ainvoke(model: Any) -> str:
    return str((await model.ainvoke("who is there?")).content)


async def astream(model: Any) -> str:
    return "".join([str(chunk.content) async for chunk in model.astream("who is there?")])


async def invoke(model: Any) -> str:
    return str(model.invoke("who is there?").content)


async def stream(model: Any) -> str:
    return "".join(str(chunk.content) for chunk in model.stream("who is there?"))


def asking(model: Any, ask: Ask = ainvoke, *, times: int = 1) -> Callable[[State], Any]:
    """Return a node that asks a model."""

    async def act(_: State) -> State:
        return {"said": [await ask(model) for _ in range(times)]}

    return act


async def holds(shop: Shop, run: Run) -> Sequence[Hold]:
    return (await shop.runtime.budget(run.id))[1]


async def standing(shop: Shop, run: Run, unit: Unit) -> Balance:
    found, _ = await shop.runtime.budget(run.id)
    assert found is not None
    return next(each for each in found.balances if each.unit is unit)


def one_tool(node: Tool[Any], *calls: dict[str, Any], budget: Budget, **options: Any) -> Any:
    """Declare a graph whose one node makes calls that a model has asked for."""

    def ask(_: Talk) -> Any:
        asked = [
            {"name": node.name, "args": args, "id": f"c{number}", "type": "tool_call"}
            for number, args in enumerate(calls)
        ]
        return {"messages": [AIMessage("", id="m1", tool_calls=asked)]}

    graph: Any = StateGraph(Talk)
    graph.add_node("ask", ask)
    graph.add_node("tools", ToolNode([node]), **options)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "tools")
    return declare(graph, name="talk", budget=budget)


@pytest.mark.parametrize("ask", [ainvoke, invoke, astream, stream])
@pytest.mark.parametrize("kind", [Talker, Streamer])
async def test_what_a_model_used_is_on_the_runs_account(
    store: Store, kind: type[Talker], ask: Ask
) -> None:
    shop = Shop(store, chain_of(State, asking(kind(), ask)))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    (held,) = await holds(shop, run)
    assert (held.kind, held.used) == (HoldKind.MODEL, Amounts(tokens=42, is_priced=False))
    assert held.worst.tokens >= 100 + len("who is there?")
    tokens = await standing(shop, run, Unit.TOKENS)
    assert (tokens.spent, tokens.held) == (42, 0)


async def test_a_model_is_metered_in_a_subgraph_and_in_a_thread(store: Store) -> None:
    model = Talker()

    def act(_: State) -> State:
        return {"said": [str(model.invoke("hi").content)]}

    graph: Any = StateGraph(State)
    inner: Any = graph.add_node("act", act).add_edge(START, "act").compile()
    outer: Any = StateGraph(State).add_node("inner", inner).add_edge(START, "inner")
    shop = Shop(store, declare(outer, name="outer"))
    run = await shop.run()
    assert (await standing(shop, run, Unit.TOKENS)).spent == 42


@pytest.mark.parametrize(
    "more",
    [None, {"callbacks": []}, {"callbacks": [BaseCallbackHandler()]}],
    ids=["generate", "none", "others"],
)
@pytest.mark.parametrize("in_thread", [False, True], ids=["async", "thread"])
async def test_a_model_is_metered_once_whatever_callbacks_it_is_given(
    store: Store,
    more: Any,
    in_thread: bool,  # noqa: FBT001  (a parameter)
) -> None:
    model = Talker()

    def act(_: State) -> State:
        if more is None:
            model.generate([[HumanMessage("hi")]])
        else:
            model.invoke("hi", config=more)
        return {}

    async def act_on_loop(state: State) -> State:
        return act(state)

    shop = Shop(store, chain_of(State, act if in_thread else act_on_loop))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await standing(shop, run, Unit.TOKENS)).spent == 42
    assert len(await holds(shop, run)) == 1


async def test_a_model_outside_of_a_run_is_not_metered(store: Store) -> None:
    shop = Shop(store, chain_of(State, asking(Talker())))
    run = await shop.run()
    await Talker().ainvoke("hi")
    assert (await standing(shop, run, Unit.TOKENS)).spent == 42


async def test_a_model_that_takes_a_text_is_metered(store: Store) -> None:
    async def ask(model: Any) -> str:
        return await model.ainvoke("hi")

    shop = Shop(store, chain_of(State, asking(FakeListLLM(responses=["hello"]), ask)))
    run = await shop.run()
    (held,) = await holds(shop, run)
    assert held.used == held.worst


async def test_a_model_that_does_not_say_what_it_used_has_used_the_worst(store: Store) -> None:
    shop = Shop(store, chain_of(State, asking(Talker(usage=None))))
    run = await shop.run()
    (held,) = await holds(shop, run)
    assert held.used == held.worst


async def test_a_stream_that_is_left_has_used_the_worst(store: Store) -> None:
    async def first(model: Any) -> str:
        async for chunk in model.astream("hi"):
            return str(chunk.content)
        return ""

    shop = Shop(store, chain_of(State, asking(Streamer(), first)))
    run = await shop.run()
    (held,) = await holds(shop, run)
    assert held.used == held.worst


@pytest.mark.parametrize("ask", [ainvoke, invoke, astream, stream])
async def test_a_call_that_does_not_fit_is_not_made_and_ends_the_run(
    store: Store, ask: Ask
) -> None:
    model = Talker()
    shop = Shop(store, chain_of(State, asking(model, ask), budget=Budget(tokens=50)))
    run = await shop.run()
    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code is FailureCode.BUDGET_EXHAUSTED
    assert "has 50 left" in run.failure.message
    assert not run.failure.redrivable
    assert model.asked == []


async def test_nothing_in_a_graph_goes_on_without_a_budget(store: Store) -> None:
    spare = Talker()

    async def act(_: State) -> State:
        with contextlib.suppress(Exception):
            await Talker().with_fallbacks([spare]).ainvoke("hi")
        return {"said": ["went on"]}

    graph: Any = StateGraph(State)
    graph.add_node("act", act, retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.01))
    graph.add_edge(START, "act")
    shop = Shop(store, declare(graph, name="stubborn", budget=Budget(tokens=50)))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.BUDGET_EXHAUSTED
    assert spare.asked == []


async def test_a_model_is_not_called_where_nothing_can_be_reserved(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a fault of the runtime itself")

    monkeypatch.setattr(budgets, "reserve", fail)
    model = Talker()
    run = await Shop(store, chain_of(State, asking(model))).run()
    assert run.status is RunStatus.FAILED
    assert model.asked == []


async def test_what_a_call_holds_that_was_never_made_is_settled_with_its_segment(
    store: Store,
) -> None:
    model = Talker()

    async def both(_: State, config: RunnableConfig) -> State:
        asked: Any = [[HumanMessage("a")], [HumanMessage("b")]]
        return {"said": [str(model.generate(asked, callbacks=config.get("callbacks")))]}

    shop = Shop(store, chain_of(State, both, budget=Budget(tokens=200)))
    run = await shop.run()
    assert model.asked == []
    tokens = await standing(shop, run, Unit.TOKENS)
    assert (tokens.spent > 100, tokens.held) == (True, 0)


async def test_parallel_branches_do_not_overspend(store: Store) -> None:
    graph: Any = StateGraph(State)
    for number in range(8):
        graph.add_node(f"n{number}", asking(Talker(usage=None)))
        graph.add_edge(START, f"n{number}")
    shop = Shop(store, declare(graph, name="wide", budget=Budget(tokens=500)))
    run = await shop.run()
    assert run.failure is not None
    tokens = await standing(shop, run, Unit.TOKENS)
    assert 0 < tokens.spent <= 500
    assert tokens.held == 0


async def test_a_retry_of_the_client_counts_as_the_call_it_is(store: Store) -> None:
    model = Talker(errors=[ServiceError(500)])
    again = model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    shop = Shop(store, chain_of(State, asking(again)))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    first, second = await holds(shop, run)
    assert first.used == first.worst
    assert second.used is not None
    assert second.used.tokens == USED["total_tokens"]


async def test_a_call_that_the_service_refused_has_used_nothing(store: Store) -> None:
    model = Talker(errors=[ServiceError(429)])
    shop = Shop(store, chain_of(State, asking(model)))
    run = await shop.run()
    assert run.failure is not None
    assert (await standing(shop, run, Unit.TOKENS)).spent == 0


DOLLAR = Money(micros=1_000_000, currency="USD")


async def test_a_model_with_a_published_price_costs_it(store: Store) -> None:
    plain = Talker(model="gpt-4o", usage=cached(0, of=10_000, written=100))
    part = Talker(model="gpt-4o", usage=cached(8_000, of=10_000, written=100))
    graph = chain_of(State, asking(plain), budget=Budget(money=DOLLAR))
    shop = Shop(store, graph)
    whole = await standing(shop, await shop.run(), Unit.MONEY)
    other = Shop(store, chain_of(State, asking(part), name="part", budget=Budget(money=DOLLAR)))
    less = await standing(other, await other.run(), Unit.MONEY)
    assert (whole.spent, whole.currency) == (26_000, "USD")
    assert less.spent == 16_000


async def test_a_model_without_a_price_is_refused_where_money_is_capped(store: Store) -> None:
    for number, model in enumerate([Talker(), Talker(model="of-our-own")]):
        graph = chain_of(State, asking(model), name=f"g{number}", budget=Budget(money=DOLLAR))
        run = await Shop(store, graph).run()
        assert run.failure is not None
        assert "no known price" in run.failure.message
        assert model.asked == []


async def test_a_price_that_an_operator_names_counts(store: Store) -> None:
    named = Price(input=Decimal(2), output=Decimal(10), currency="EUR")
    budget = Budget(money=Money(micros=1_000_000, currency="EUR"), prices={"of-our-own": named})
    shop = Shop(store, chain_of(State, asking(Talker(model="of-our-own")), budget=budget))
    run = await shop.run()
    money = await standing(shop, run, Unit.MONEY)
    assert (money.spent, money.currency) == (30 * 2 + 12 * 10, "EUR")


async def test_a_run_is_started_with_the_tighter_budget_of_both(store: Store) -> None:
    shop = Shop(store, chain_of(State, asking(Talker()), budget=Budget(tokens=1_000)))
    for given, cap in ((50, 50), (5_000, 1_000)):
        run = await shop.runtime.start("chain", {}, actor="ann", budget=Budget(tokens=given))
        assert (await standing(shop, run, Unit.TOKENS)).cap == cap


async def test_the_runs_of_a_day_share_a_budget(store: Store) -> None:
    graph = chain_of(State, asking(Talker(usage=None)))
    shop = Shop(store, graph, day_budget=Budget(tokens=200))
    assert (await shop.run()).status is RunStatus.SUCCEEDED
    second = await shop.run()
    assert second.failure is not None
    assert second.failure.code is FailureCode.BUDGET_EXHAUSTED
    assert second.failure.redrivable
    (day,) = await shop.runtime.days(tenant=second.tenant)
    assert day.balances[0].cap == 200


async def test_a_tool_call_that_does_not_fit_is_refused_and_the_model_told(store: Store) -> None:
    done: list[int] = []

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        done.append(amount)
        return "paid"

    budget = Budget(tool_calls=1)
    shop = Shop(store, one_tool(pay, {"amount": 1}, {"amount": 2}, budget=budget))
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    answers = [each for each in (await shop.values(run))["messages"] if each.type == "tool"]
    assert sorted(str(each.status) for each in answers) == ["error", "success"]
    (refused,) = (each for each in answers if each.status == "error")
    assert "over_budget" in str(refused.content)
    assert len(done) == 1
    assert (await standing(shop, run, Unit.TOOL_CALLS)).spent == 1


async def test_code_that_calls_a_tool_beyond_the_budget_ends_its_run(store: Store) -> None:
    @tool(effect="unsafe", cost=Cost(amount_micros=600_000, currency="USD"))
    async def search(word: str) -> str:
        """Search."""
        return word

    async def act(_: State) -> State:
        return {"said": [await search.ainvoke({"word": word}) for word in ("a", "b")]}

    shop = Shop(store, chain_of(State, act, budget=Budget(money=DOLLAR)))
    run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.BUDGET_EXHAUSTED
    assert (await standing(shop, run, Unit.MONEY)).spent == 600_000


async def test_a_read_that_costs_is_reserved_before_it_is_made(store: Store) -> None:
    done: list[str] = []

    @tool(effect="read", cost=Cost(amount_micros=600_000, currency="USD"))
    async def search(word: str) -> str:
        """Search."""
        done.append(word)
        return word

    budget = Budget(money=Money(micros=500_000, currency="USD"))
    shop = Shop(store, one_tool(search, {"word": "a"}, budget=budget))
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert done == []


async def test_what_a_tool_spends_is_capped(store: Store) -> None:
    done: list[int] = []

    @tool(effect="unsafe", facts={"cents": minor_units("cents", currency="EUR", is_minor=True)})
    async def refund(cents: int) -> str:
        """Pay back."""
        done.append(cents)
        return "paid"

    budget = Budget(tool_spend=Spend(minor=1_000, currency="EUR"))
    shop = Shop(store, one_tool(refund, {"cents": 600}, {"cents": 500}, budget=budget))
    run = await shop.run(given={"messages": []})
    assert len(done) == 1
    assert (await standing(shop, run, Unit.TOOL_SPEND)).spent == done[0]


async def test_a_recalled_result_costs_nothing(store: Store) -> None:
    ran: list[str] = []

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay."""
        ran.append("paid")
        assert amount == 1
        return "paid"

    async def act(_: State) -> State:
        said = await pay.ainvoke({"amount": 1})
        ran.append("node")
        if ran.count("node") == 1:
            raise ValueError("after it was paid")
        return {"said": [said]}

    shop = Shop(store, chain_of(State, act, budget=Budget(tool_calls=1)))
    failed = await shop.run()
    await shop.runtime.redrive(failed.id, by="ann")
    run = await shop.go_on(failed)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (ran.count("paid"), ran.count("node")) == (1, 2)
    assert (await standing(shop, run, Unit.TOOL_CALLS)).spent == 1


async def test_an_attempt_that_failed_counts_and_is_not_paid(store: Store) -> None:
    tried: list[int] = []

    @tool(
        effect="unsafe",
        retry=RetryPlan(attempt_limit=2, first_wait_s=0.001, longest_wait_s=0.001),
        cost=Cost(amount_micros=600_000, currency="USD"),
    )
    async def search(word: str) -> str:
        """Search."""
        tried.append(1)
        if len(tried) == 1:
            raise Retryable("down")
        return word

    shop = Shop(store, one_tool(search, {"word": "a"}, budget=Budget(money=DOLLAR)))
    run = await shop.run(given={"messages": []})
    assert isinstance((await shop.values(run))["messages"][-1], ToolMessage)
    assert (await standing(shop, run, Unit.TOOL_CALLS)).spent == 2
    assert (await standing(shop, run, Unit.MONEY)).spent == 600_000
