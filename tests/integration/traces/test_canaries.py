"""Nothing that was planted anywhere in a run leaves the process, unless its graph shows it all."""

import asyncio
from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever
from langgraph.types import interrupt
from opentelemetry import baggage, context, trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from pydantic import BaseModel

from penstock.checkpoints import Store
from penstock.contracts.run import RunStatus
from penstock.contracts.trace import TraceContent
from penstock.nodes import Permanent, tool
from support.allowing import OPEN
from support.shops import Shop, chain_of
from support.spans import Spans, told

PLACES = (
    "input",
    "thread",
    "person",
    "argument",
    "nested_argument",
    "result",
    "refused_argument",
    "exception",
    "node_error",
    "system_message",
    "user_message",
    "model_answer",
    "model_call",
    "model_parameter",
    "model_error",
    "query",
    "document",
    "document_metadata",
    "gate_question",
    "gate_answer",
    "state",
    "baggage",
    "span_name",
    "attribute",
    "attribute_key",
    "attribute_list",
    "attribute_bytes",
    "event_name",
    "event_attribute",
    "recorded_exception",
    "link",
    "link_state",
    "status",
    "cancel_reason",
)
SENSITIVE = ("argument", "nested_argument")


def word(place: str) -> str:
    """Return a canary that nothing but its place in a run marks as a secret."""
    return f"canary-{place.replace('_', '-')}-xq"


def key(place: str) -> str:
    """Return a canary that looks like a secret."""
    return f"sk-proj-{place.replace('_', '')}00{'Zq7' * 8}"


class State(TypedDict, total=False):
    said: str


class Parrot(BaseChatModel):
    """Answers and asks for a call with what it was told to."""

    says: str
    asks: str
    temperature: str
    fails: str | None = None

    @property
    def _llm_type(self) -> str:
        return "parrot"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"stop_words": self.temperature}

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        del messages
        if self.fails is not None:
            raise ValueError(self.fails)
        call = {"name": "pay", "args": {"to": {"pin": self.asks}}, "id": "c", "type": "tool_call"}
        answer = AIMessage(self.says, tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Shelf(BaseRetriever):
    """Finds one document."""

    text: str
    about: str

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        del query, run_manager
        return [Document(self.text, metadata={"from": self.about})]


class Account(BaseModel):
    name: str
    pin: str


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A store; what leaves the process is the same on every database."""
    with Store.open(sqlite_url) as opened:
        yield opened


async def planted(store: Store, canary: Any, content: TraceContent) -> bytes:
    """Run graphs with a canary in every place; return all bytes that left the process."""

    @tool(effect="idempotent", sensitive={"secret", "to.pin"})
    async def pay(secret: str, to: Account, note: str = "") -> str:
        """Pay."""
        span = trace.get_current_span()
        assert baggage.get_baggage("who") == canary("baggage")
        span.update_name(canary("span_name"))
        span.set_attribute("user.note", canary("attribute"))
        span.set_attribute(canary("attribute_key"), 1)
        span.set_attribute("user.list", ["a", canary("attribute_list")])
        span.set_attribute("user.bytes", canary("attribute_bytes").encode())
        span.add_event(canary("event_name"), {"user.event": canary("event_attribute")})
        state = trace.TraceState([("vendor", canary("link_state"))])
        other = trace.SpanContext(1, 2, is_remote=True, trace_state=state)
        span.add_link(other, {"user.link": canary("link")})
        span.record_exception(ValueError(canary("recorded_exception")))
        return f"{canary('result')} for {secret} and {to.pin}{note}"

    @tool(effect="idempotent")
    async def fail(note: int) -> str:
        """Fail."""
        trace.get_current_span().set_status(trace.StatusCode.ERROR, canary("status"))
        raise Permanent(f"{canary('exception')}{note}")

    async def think(_: State) -> State:
        model = Parrot(
            says=f"{canary('model_answer')} {canary('nested_argument')}",
            asks=canary("nested_argument"),
            temperature=canary("model_parameter"),
        )
        said = [
            SystemMessage(f"{canary('system_message')} {canary('nested_argument')}"),
            HumanMessage(canary("user_message")),
            AIMessage(
                canary("model_call"),
                tool_calls=[
                    {
                        "name": "pay",
                        "args": {"secret": canary("argument"), "to": {"pin": "1"}},
                        "id": "x",
                    }
                ],
            ),
        ]
        await model.ainvoke(said)
        failing = model.model_copy(update={"fails": canary("model_error")})
        with pytest.raises(ValueError, match=r"."):
            await failing.ainvoke(canary("user_message"))
        shelf = Shelf(text=canary("document"), about=canary("document_metadata"))
        await shelf.ainvoke(canary("query"))
        return {"said": canary("state")}

    async def act(_: State) -> State:
        token = context.attach(baggage.set_baggage("who", canary("baggage")))
        try:
            account = Account(name="ann", pin=canary("nested_argument"))
            await pay(secret=canary("argument"), to=account)
        finally:
            context.detach(token)
        for wrong in ({"note": canary("refused_argument")}, {"note": 7}):
            with pytest.raises(Exception, match=r"."):
                await fail.ainvoke(wrong)
        return {"said": str(interrupt({"really?": canary("gate_question")}))}

    async def break_down(_: State) -> State:
        raise ValueError(canary("node_error"))

    spans = Spans()
    options: Any = {"tools": [pay, fail], "trace": content}
    graph = chain_of(State, think, act, break_down, **options)
    shop = Shop(store, graph, policy=OPEN, tracing=spans.pipeline)
    run = await shop.runtime.start(
        graph.name,
        {"said": canary("input")},
        actor=canary("person"),
        thread_id=canary("thread"),
    )
    run = await shop.go_on(run)
    assert run.status is RunStatus.WAITING, run.failure
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, canary("gate_answer"), by=canary("person"))
    run = await shop.go_on(run)
    assert run.status is RunStatus.FAILED

    began = asyncio.Event()

    async def hang(_: State) -> State:
        began.set()
        await asyncio.Event().wait()
        return {}

    slow = Shop(store, chain_of(State, hang, name="slow", **options), tracing=spans.pipeline)
    async with slow.worker():
        run = await slow.runtime.start("slow", {}, actor=canary("person"))
        await began.wait()
        await slow.runtime.cancel(run.id, by="bob", reason=canary("cancel_reason"))
        await slow.runtime.wait(run.id)
    return left(spans.all())


def left(spans: Any) -> bytes:
    """Return spans as they leave by OTLP."""
    found: list[ReadableSpan] = list(spans)
    assert len(found) > 15
    return encode_spans(found).SerializeToString()


async def test_the_canaries_are_where_they_are_said_to_be(store: Store) -> None:
    seen = await planted(store, word, TraceContent.FULL)
    missing = {place for place in PLACES if word(place).encode() not in seen}
    # Baggage and the state beside a link are handed on by whoever sends them; how a call ended
    # says Penstock.
    assert missing == {"baggage", "link_state", "status"}


async def test_digests_show_no_word_of_any_text(store: Store) -> None:
    seen = await planted(store, word, TraceContent.DIGESTS)
    shown = {place for place in PLACES if word(place).encode() in seen}
    # A thread's id is a name: deep links rest on it.
    assert shown == {"thread"}


async def test_secrets_are_taken_out_of_everything(store: Store) -> None:
    seen = await planted(store, key, TraceContent.REDACTED)
    assert {place for place in PLACES if key(place).encode() in seen} == set()


async def test_sensitive_values_are_taken_out_of_everything(store: Store) -> None:
    seen = await planted(store, word, TraceContent.REDACTED)
    assert {place for place in SENSITIVE if word(place).encode() in seen} == set()
    assert word("result").encode() in seen


async def test_a_graph_that_says_nothing_is_redacted(store: Store) -> None:
    async def speak(_: State) -> State:
        return {"said": f"mail to ann@example.org: {key('result')}"}

    spans = Spans()
    await Shop(store, chain_of(State, speak), tracing=spans.pipeline).run()
    assert told(spans.one("agent.step"))["output.value"] == '{"said": "mail to [email]: [key]"}'


async def test_a_number_is_a_text_too(store: Store) -> None:
    async def speak(_: State) -> State:
        trace.get_current_span().set_attribute("user.card", 4111111111111111)
        return {}

    spans = Spans()
    await Shop(store, chain_of(State, speak), tracing=spans.pipeline).run()
    assert told(spans.one("agent.run"))["user.card"] == "[card]"


@pytest.mark.parametrize("content", [TraceContent.REDACTED, TraceContent.DIGESTS])
async def test_a_secret_in_the_name_of_a_tool_or_its_tags_is_taken_out(
    store: Store, content: TraceContent
) -> None:
    name = f"ghp_{'Zq7' * 10}"

    @tool(effect="read", name=name, tags={key("tag").lower()})
    async def act() -> str:
        """Act."""
        return "done"

    async def call(_: State) -> State:
        return {"said": await act()}

    spans = Spans()
    graph = chain_of(State, call, tools=[act], trace=content, name=key("graph"))
    run = await Shop(store, graph, tracing=spans.pipeline).run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    seen = encode_spans(list(spans.all())).SerializeToString()
    assert not [each for each in (name, key("tag").lower(), key("graph")) if each.encode() in seen]
