"""A run's trace is tied to those around it."""

from collections.abc import Iterator
from typing import TypedDict

import pytest
from opentelemetry.propagate import inject

from penstock.checkpoints import Store
from penstock.contracts.errors import InvalidInput
from penstock.contracts.run import RunStatus
from penstock.nodes import Tool, tool
from penstock.traces import segment_span_id, span_hex, trace_hex
from support import isolated
from support.shops import Shop, chain_of
from support.spans import Spans, span_id

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class State(TypedDict, total=False):
    said: str


async def speak(_: State) -> State:
    return {"said": "hello"}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A store; where a context comes from has nothing to do with it."""
    with Store.open(sqlite_url) as opened:
        yield opened


def handed_on() -> str:
    """Return what a client would send."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers["traceparent"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_a_tool_calls_is_told_of_its_span(store: Store, *, is_async: bool) -> None:
    if is_async:

        @tool(effect="read")
        async def ask() -> str:
            """Ask."""
            return handed_on()
    else:

        @tool(effect="read")
        def ask() -> str:
            """Ask."""
            return handed_on()

    async def act(_: State) -> State:
        return {"said": await ask()}

    spans = Spans()
    shop = Shop(store, chain_of(State, act, tools=[ask]), tracing=spans.pipeline)
    run = await shop.run()
    _, trace, parent, flags = (await shop.values(run))["said"].split("-")
    assert trace == trace_hex(run.id)
    assert parent == span_hex(span_id(spans.one("tool.call")))
    assert flags.endswith(("1", "3"))


@pytest.mark.parametrize("called", [isolated.hand_on, isolated.hand_on_later])
async def test_what_a_tool_calls_in_a_process_of_its_own_is_told_of_its_span(
    store: Store, called: Tool[str]
) -> None:
    async def act(_: State) -> State:
        return {"said": str(await called())}

    spans = Spans()
    shop = Shop(store, chain_of(State, act, tools=[called]), tracing=spans.pipeline)
    run = await shop.run()
    _, trace, parent, flags = (await shop.values(run))["said"].split("-")
    assert trace == trace_hex(run.id)
    assert parent == span_hex(span_id(spans.one("tool.call")))
    assert flags.endswith(("1", "3"))


async def test_a_process_of_its_own_is_told_of_nothing_where_nothing_is_traced(
    store: Store,
) -> None:
    async def act(_: State) -> State:
        return {"said": str(await isolated.hand_on())}

    shop = Shop(store, chain_of(State, act, tools=[isolated.hand_on]))
    run = await shop.run()
    assert (await shop.values(run))["said"] == ""


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_a_node_calls_is_told_of_its_segment(store: Store, *, is_async: bool) -> None:
    async def act(_: State) -> State:
        return {"said": handed_on()}

    def act_here(_: State) -> State:
        return {"said": handed_on()}

    shop = Shop(store, chain_of(State, act if is_async else act_here), tracing=Spans().pipeline)
    run = await shop.run()
    _, trace, parent, _ = (await shop.values(run))["said"].split("-")
    assert (trace, parent) == (trace_hex(run.id), span_hex(segment_span_id(run.id, 1)))


async def test_a_run_links_to_its_caller_from_every_root(store: Store) -> None:
    spans = Spans()
    shop = Shop(store, chain_of(State, speak), tracing=spans.pipeline)
    run = await shop.runtime.start("chain", {}, actor="ann", traceparent=CALLER)
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED
    (link,) = spans.root(run, 1).links
    assert f"{link.context.trace_id:032x}" == CALLER.split("-")[1]
    assert f"{link.context.span_id:016x}" == CALLER.split("-")[2]
    spans.check_tree(run)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "00",
        CALLER.upper(),
        CALLER[:-3],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"ff{CALLER[2:]}",
    ],
)
async def test_a_caller_that_is_none_is_refused(store: Store, wrong: str) -> None:
    shop = Shop(store, chain_of(State, speak))
    with pytest.raises(InvalidInput, match="`traceparent` is none"):
        await shop.runtime.start("chain", {}, actor="ann", traceparent=wrong)
