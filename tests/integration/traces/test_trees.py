"""A run is one trace, whoever drives it and however often."""

import asyncio
from datetime import timedelta
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool as plain_tool
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy, TimeoutPolicy, interrupt
from opentelemetry.trace import StatusCode

from penstock.checkpoints import Store
from penstock.contracts.budget import Budget, OnExhaustion
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import declare
from penstock.nodes import Retryable, RetryPlan, tool
from penstock.traces import gate_span_id, names, segment_span_id
from support.allowing import DESK
from support.models import USED, ServiceError, Streamer, Talker
from support.people import Staff
from support.runs import lose
from support.shops import Shop, chain_of
from support.spans import Branch, Spans, span_id, told
from support.talks import talk


class State(TypedDict, total=False):
    said: str


@tool(effect="idempotent")
async def look(order: str) -> str:
    """Look an order up."""
    return f"{order} was sent"


@tool(effect="unsafe", tags={"money"})
async def pay(amount: int, note: str = "") -> str:
    """Pay somebody."""
    return f"paid {amount} {note}"


async def paid(_: State) -> State:
    return {"said": await pay(amount=900)}


async def paid_nothing(_: State) -> State:
    return {"said": "nothing"}


async def approve(shop: Shop, run: Run) -> str:
    """Have two people approve the only open gate; return its id."""
    (gate,) = await shop.runtime.gates(run.id)
    for person in ("bob", "eve"):
        await shop.approvals.approve(gate.id, by=person, binding=gate.binding or "")
    return gate.id


TOOL: Branch = ("tool.call", [("policy.check", [])])


async def test_a_plain_run_is_one_tree(store: Store) -> None:
    spans = Spans()
    shop = Shop(store, talk(look, {"order": "A1"}, {"order": "A2"}), tracing=spans.pipeline)
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    assert spans.tree() == [
        ("agent.run", [("agent.step", []), ("agent.step", [TOOL, TOOL])]),
    ]


async def test_every_span_says_whose_it_is(store: Store) -> None:
    spans = Spans()
    shop = Shop(store, talk(look, {"order": "A1"}), tracing=spans.pipeline)
    run = await shop.run(given={"messages": []})
    for span in spans.all():
        about = told(span)
        assert about[names.RUN_ID] == run.id
        assert about[names.SESSION_ID] == run.thread_id
        assert about[names.USER_ID] == "ann"
        assert span.resource.attributes[names.PROJECT] == "talk"
    call = told(spans.one("tool.call"))
    (step,) = [each for each in spans.named("agent.step") if told(each)[names.NODE] == "tools"]
    assert call[names.STEP_ID] == told(step)[names.STEP_ID]
    assert (call[names.TOOL], call[names.TIMEOUT_MS], call[names.RETRY_COUNT]) == (
        "look",
        30_000,
        0,
    )
    assert (call[names.POLICY_DECISION], call[names.CALL_ID]) == ("allow", "c0")
    assert call[names.OUTPUT] == "A1 was sent"


async def test_a_run_that_waits_is_no_error_and_goes_on_in_another_worker(store: Store) -> None:
    first, second = Spans(), Spans()
    graph = chain_of(State, paid, tools=[pay])
    shop = Shop(store, graph, policy=DESK, people=Staff(), tracing=first.pipeline)
    run = await shop.run()
    assert run.status is RunStatus.WAITING
    assert all(span.status.status_code is StatusCode.OK for span in first.all())
    assert told(first.root(run, 1))[names.OUTPUT] == "interrupted: approval"
    first.check_tree(run)
    gate = await approve(shop, run)
    assert told(first.root(run, 1))[names.HUMAN_GATE] == gate
    assert told(first.one("tool.call"))[names.HUMAN_GATE] == gate
    assert told(first.one("policy.check"))[names.POLICY_DECISION] == "ask"

    shop.tracing = second.pipeline
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    second.check_tree(run)
    assert second.tree() == [("agent.run", [("approval.wait", []), ("agent.step", [TOOL])])]
    wait, (opened,) = second.one("approval.wait"), await shop.runtime.gates(run.id)
    assert span_id(wait) == gate_span_id(opened.id)
    assert opened.closed_at is not None
    assert wait.start_time == round(opened.opened_at.timestamp() * 1e6) * 1000
    assert wait.end_time == round(opened.closed_at.timestamp() * 1e6) * 1000
    assert told(wait)[names.GATE_DECISION] == "approve"
    assert told(second.one("tool.call"))[names.HUMAN_GATE] == gate
    assert told(second.root(run, 2))[names.SEGMENT] == 2


async def test_the_span_of_an_edited_call_tells_all_of_it(store: Store) -> None:
    spans, staff = Spans(), Staff()
    staff.in_group["finance"].add("fay")
    graph = chain_of(State, paid, tools=[pay])
    shop = Shop(store, graph, policy=DESK, people=staff, tracing=spans.pipeline)
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    edited = await shop.approvals.edit(
        gate.id, {"amount": 700}, by="bob", binding=gate.binding or ""
    )
    for person in ("eve", "fay"):
        await shop.approvals.approve(edited.id, by=person, binding=edited.binding or "")
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    _, call = spans.named("tool.call")
    assert told(call)[names.OUTPUT] == "paid 700 "
    assert (told(call)[names.HUMAN_GATE], told(call)[names.RETRY_COUNT]) == (edited.id, 0)


async def test_a_question_is_waited_for_too(store: Store) -> None:
    async def ask(_: State) -> State:
        return {"said": str(interrupt("which one?"))}

    spans = Spans()
    shop = Shop(store, chain_of(State, ask), tracing=spans.pipeline)
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, "this one", by="ann")
    run = await shop.go_on(run)
    spans.check_tree(run)
    assert told(spans.root(run, 1))[names.OUTPUT] == "interrupted: question"
    wait = told(spans.one("approval.wait"))
    assert (wait[names.INPUT], wait[names.OUTPUT]) == ("which one?", "this one")
    assert (wait[names.HUMAN_GATE], wait[names.DECIDED_BY]) == (gate.id, "ann")


async def test_two_gates_are_each_waited_for_once(store: Store) -> None:
    async def left(_: State) -> State:
        interrupt("left?")
        return {}

    async def right(_: State) -> State:
        interrupt("right?")
        return {}

    graph: Any = StateGraph(State)
    for node in (left, right):
        graph.add_node(node.__name__, node)
        graph.add_edge(START, node.__name__)
    spans = Spans()
    shop = Shop(store, declare(graph, name="two"), tracing=spans.pipeline)
    run = await shop.run()
    for gate in await shop.runtime.gates(run.id):
        await shop.runtime.decide(gate.id, "yes", by="ann")
        run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    waits = [told(span)[names.INPUT] for span in spans.named("approval.wait")]
    assert sorted(waits) == ["left?", "right?"]
    assert len(spans.named("agent.run")) == 3


async def test_a_retry_is_an_event_and_counted(store: Store) -> None:
    failures = [Retryable("the line is busy"), Retryable("again")]

    @tool(effect="idempotent", retry=RetryPlan(attempt_limit=3, first_wait_s=0.01))
    async def call(order: str) -> str:
        """Call."""
        if failures:
            raise failures.pop()
        return order

    spans = Spans()
    shop = Shop(store, talk(call, {"order": "A1"}), tracing=spans.pipeline)
    await shop.run(given={"messages": []})
    span = spans.one("tool.call")
    assert told(span)[names.RETRY_COUNT] == 2
    assert [event.name for event in span.events] == ["attempt_failed", "attempt_failed"]
    assert span.status.status_code is StatusCode.OK


async def test_a_call_that_is_recalled_says_so(store: Store) -> None:
    async def twice(_: State) -> State:
        await look(order="A1")
        interrupt("go on?")
        return {}

    spans = Spans()
    shop = Shop(store, chain_of(State, twice, tools=[look]), tracing=spans.pipeline)
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, "yes", by="ann")
    run = await shop.go_on(run)
    spans.check_tree(run)
    first, second = spans.named("tool.call")
    assert (told(first)[names.RECALLED], told(second)[names.RECALLED]) == (False, True)
    assert [event.name for event in second.events] == ["recalled"]
    assert told(first)[names.EFFECT_KEY] == told(second)[names.EFFECT_KEY]


@pytest.mark.parametrize(
    ("amount", "outcome", "decision"), [(20_000, "refused:denied", "deny"), ("much", None, None)]
)
async def test_a_call_that_is_refused_is_an_error(
    store: Store, amount: Any, outcome: str | None, decision: str | None
) -> None:
    spans = Spans()
    graph = talk(pay, {"amount": amount})
    shop = Shop(store, graph, policy=DESK, people=Staff(), tracing=spans.pipeline)
    run = await shop.run(given={"messages": []})
    spans.check_tree(run)
    span = spans.one("tool.call")
    assert span.status.status_code is StatusCode.ERROR
    assert told(span)[names.OUTCOME].startswith(outcome or "refused:")
    assert told(span).get(names.POLICY_DECISION) == decision


async def test_a_tool_of_somebody_else_is_traced_in_a_classic_tool_node(store: Store) -> None:
    @plain_tool
    def greet(name: str) -> str:
        """Greet."""
        return f"hello {name}"

    spans = Spans()
    shop = Shop(store, talk(greet, {"name": "a"}, {"name": "b"}), tracing=spans.pipeline)
    run = await shop.run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    assert spans.tree() == [("agent.run", [("agent.step", []), ("agent.step", [TOOL, TOOL])])]


@pytest.mark.parametrize("kind", [Talker, Streamer])
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_model_is_traced_in_any_graph(
    store: Store, kind: type[Talker], *, is_async: bool
) -> None:
    model = kind(model="gpt-4o")

    async def ask(_: State) -> State:
        if is_async:
            return {"said": "".join([str(each.content) async for each in model.astream("hi")])}
        return {"said": str(model.invoke("hi").content)}

    spans = Spans()
    shop = Shop(store, chain_of(State, ask), tracing=spans.pipeline)
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    assert spans.tree() == [("agent.run", [("agent.step", [("llm.call", [])])])]
    about = told(spans.one("llm.call"))
    assert about[names.MODEL] == about[names.MODEL_NAME] == "gpt-4o"
    assert about[names.TOKENS_PROMPT] == USED["input_tokens"]
    assert about[names.TOKENS_COMPLETION] == USED["output_tokens"]
    assert about[names.COST_TOTAL] > 0
    assert about["llm.input_messages.0.message.content"] == "hi"
    assert about["llm.output_messages.0.message.role"] == "assistant"
    assert about["llm.output_messages.0.message.content"] == "hello"
    assert about[names.BUDGET_TOKENS_REMAINING] < 20_000_000


async def test_a_model_that_fails_is_an_error_and_one_that_is_left_is_cut_off(store: Store) -> None:
    failing, left = Talker(errors=[ServiceError(500)]), Streamer()

    async def ask(_: State) -> State:
        async for _chunk in left.astream("hi"):
            break
        await failing.ainvoke("hi")
        return {}

    spans = Spans()
    shop = Shop(store, chain_of(State, ask), tracing=spans.pipeline)
    run = await shop.run()
    assert run.status is RunStatus.FAILED
    spans.check_tree(run)
    assert "ServiceError: status 500" in {
        span.status.description for span in spans.named("llm.call")
    }
    assert all(span.status.status_code is StatusCode.ERROR for span in spans.named("llm.call"))
    assert told(spans.root(run, 1))[names.FAILURE] == "node_failed"


async def test_a_budget_that_is_used_up_is_seen(store: Store) -> None:
    async def ask(_: State) -> State:
        await Talker().ainvoke("hi")
        return {}

    spans = Spans()
    graph = chain_of(State, ask, budget=Budget(tokens=1))
    run = await Shop(store, graph, tracing=spans.pipeline).run()
    spans.check_tree(run)
    assert told(spans.root(run, 1))[names.FAILURE] == "budget_exhausted"
    assert spans.one("llm.call").status.status_code is StatusCode.ERROR


async def test_a_model_that_waits_for_a_larger_budget_is_no_error(store: Store) -> None:
    async def ask(_: State) -> State:
        await Talker().ainvoke("hi")
        return {}

    spans = Spans()
    budget = Budget(tokens=1, on_exhaustion=OnExhaustion.GATE)
    shop = Shop(store, chain_of(State, ask, budget=budget), tracing=spans.pipeline)
    run = await shop.run()
    assert run.status is RunStatus.WAITING, run.failure
    spans.check_tree(run)
    assert all(span.status.status_code is StatusCode.OK for span in spans.all())
    (gate,) = await shop.runtime.gates(run.id)
    assert told(spans.one("llm.call"))[names.HUMAN_GATE] == gate.id
    assert told(spans.root(run, 1))[names.OUTPUT] == "interrupted: budget"


class Shelf(BaseRetriever):
    """Finds the same two documents."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        return [Document(f"about {query}", metadata={"page": 3}), Document("more", id="d2")]


async def test_a_query_is_traced_in_any_graph(store: Store) -> None:
    async def search(_: State) -> State:
        await Shelf().ainvoke("boats")
        return {}

    spans = Spans()
    run = await Shop(store, chain_of(State, search), tracing=spans.pipeline).run()
    spans.check_tree(run)
    about = told(spans.one("retrieval.query"))
    assert about[names.INPUT] == "boats"
    assert about["retrieval.documents.0.document.content"] == "about boats"
    assert about["retrieval.documents.1.document.id"] == "d2"


async def test_a_model_in_a_tool_is_part_of_the_call(store: Store) -> None:
    @tool(effect="read")
    async def think(about: str) -> str:
        """Think."""
        return str((await Talker().ainvoke(about)).content)

    async def act(_: State) -> State:
        return {"said": await think(about="boats")}

    spans = Spans()
    run = await Shop(store, chain_of(State, act, tools=[think]), tracing=spans.pipeline).run()
    spans.check_tree(run)
    call: Branch = ("tool.call", [("policy.check", []), ("llm.call", [])])
    assert spans.tree() == [("agent.run", [("agent.step", [call])])]


async def test_the_steps_of_a_subgraph_hang_on_the_step_that_it_is(store: Store) -> None:
    async def act(_: State) -> State:
        return {"said": await look(order="A1")}

    inner: Any = StateGraph(State)
    inner.add_node("act", act)
    inner.add_edge(START, "act")
    outer: Any = StateGraph(State)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")
    spans = Spans()
    run = await Shop(store, declare(outer, name="o", tools=[look]), tracing=spans.pipeline).run()
    spans.check_tree(run)
    assert spans.tree() == [("agent.run", [("agent.step", [("agent.step", [TOOL])])])]


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_step_says_how_often_langgraph_tried_its_node_again(
    store: Store, *, is_async: bool
) -> None:
    wrong = [ConnectionError("gone"), ConnectionError("still gone")]

    def act_here(_: State) -> State:
        if wrong:
            raise wrong.pop()
        # Of what runs in a node, nothing is an attempt of it.
        return {"said": str(RunnableLambda(str).invoke("done"))}

    async def act(state: State) -> State:
        return act_here(state)

    inner: Any = StateGraph(State)
    policy = RetryPolicy(max_attempts=3, initial_interval=0.01, jitter=False)
    inner.add_node("act", act if is_async else act_here, retry_policy=policy)
    inner.add_edge(START, "act")
    outer: Any = StateGraph(State)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")
    spans = Spans()
    run = await Shop(store, declare(outer, name="o"), tracing=spans.pipeline).run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    assert {
        told(span)[names.NODE]: told(span)[names.RETRY_COUNT] for span in spans.named("agent.step")
    } == {"inner": 0, "inner|act": 2}


async def test_a_node_that_failed_for_good_says_how_often_it_was_tried(store: Store) -> None:
    async def act(_: State) -> State:
        raise ConnectionError("gone")

    graph: Any = StateGraph(State)
    policy = RetryPolicy(max_attempts=2, initial_interval=0.01, jitter=False)
    graph.add_node("act", act, retry_policy=policy)
    graph.add_edge(START, "act")
    spans = Spans()
    run = await Shop(store, declare(graph, name="g"), tracing=spans.pipeline).run()
    assert run.status is RunStatus.FAILED
    assert told(spans.one("agent.step"))[names.RETRY_COUNT] == 1


async def test_a_step_says_how_long_its_node_may_take(store: Store) -> None:
    inner: Any = StateGraph(State)
    inner.add_node("short", paid_nothing, timeout=timedelta(minutes=1))
    inner.add_node("silent", paid_nothing, timeout=TimeoutPolicy(idle_timeout=30))
    inner.add_edge(START, "short")
    inner.add_edge("short", "silent")
    outer: Any = StateGraph(State)
    outer.add_node("inner", inner.compile(), timeout=90)
    outer.add_edge(START, "inner")
    spans = Spans()
    run = await Shop(store, declare(outer, name="o"), tracing=spans.pipeline).run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    assert {
        told(span)[names.NODE]: told(span).get(names.TIMEOUT_MS)
        for span in spans.named("agent.step")
    } == {"inner": 90_000, "inner|short": 60_000, "inner|silent": None}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"timeout": 20}, 20_000),
        ({"request_timeout": 2.5}, 2_500),
        ({"default_request_timeout": 7, "timeout": None}, 7_000),
        ({"timeout": True}, None),
        ({"timeout": float("inf")}, None),
        ({"timeout": (3, 20)}, None),
        ({}, None),
    ],
)
async def test_a_call_of_a_model_says_how_long_it_may_take_where_that_is_known(
    store: Store, asked: dict[str, Any], wanted: int | None
) -> None:
    async def ask(_: State) -> State:
        await Talker().ainvoke("hi", **asked)
        return {}

    spans = Spans()
    run = await Shop(store, chain_of(State, ask), tracing=spans.pipeline).run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert told(spans.one("llm.call")).get(names.TIMEOUT_MS) == wanted


async def test_a_cancelled_run_says_why_and_is_no_error(store: Store) -> None:
    began = asyncio.Event()

    async def wait(_: State) -> State:
        began.set()
        await asyncio.Event().wait()
        return {}

    spans = Spans()
    shop = Shop(store, chain_of(State, wait), tracing=spans.pipeline)
    async with shop.worker():
        run = await shop.runtime.start("chain", {}, actor="ann")
        await began.wait()
        await shop.runtime.cancel(run.id, by="bob", reason="it was a mistake")
        run = await shop.runtime.wait(run.id)
    spans.check_tree(run)
    root = spans.root(run, 1)
    assert all(span.status.status_code is StatusCode.OK for span in spans.all())
    assert told(root)[names.OUTPUT] == "cancelled: it was a mistake"


async def test_a_segment_whose_worker_was_lost_is_written_by_the_next(store: Store) -> None:
    spans = Spans()
    shop = Shop(store, talk(look, {"order": "A1"}), tracing=spans.pipeline)
    run = await shop.runtime.start("talk", {"messages": []}, actor="ann")
    lose(store, run.id)
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    spans.check_tree(run)
    lost, root = spans.root(run, 1), spans.root(run, 2)
    assert span_id(lost) == segment_span_id(run.id, 1)
    assert (lost.status.description, [each.name for each in lost.events]) == (
        "its worker was lost",
        ["lease_lost"],
    )
    assert [each.name for each in root.events] == ["takeover"]
    assert told(root)[names.RETRY_COUNT] == 1
