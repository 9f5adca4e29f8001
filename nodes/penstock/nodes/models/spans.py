"""The spans of calls of models and retrievers."""

import threading
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, cast
from uuid import UUID  # noqa: TID251  (how LangChain names calls; none is made here)

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import LLMResult

from penstock.contracts.budget import MICROS, Money
from penstock.contracts.ids import GateId
from penstock.nodes.models.callbacks import EventKind, Handler
from penstock.nodes.models.costs import TokenUsage
from penstock.nodes.tools.request import current_task_id
from penstock.traces import OpenSpan, SegmentTrace, SpanName, names
from penstock.traces.segment import Value, input_attributes, output_attributes, span_text

MESSAGES = 50
"""The number of messages of a conversation on a span: the first, and the last ones."""

_TIMEOUTS = ("timeout", "request_timeout", "default_request_timeout")
"""The parameters by which integrations of LangChain limit the time of a request."""

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


class Spans:
    """The open spans of calls, by LangChain's ids of the calls."""

    def __init__(self, trace: SegmentTrace) -> None:
        """Write to the trace of a segment."""
        self.trace = trace
        self._open: dict[UUID, OpenSpan] = {}
        self._lock = threading.Lock()

    def begin(self, call: UUID, name: SpanName, about: Mapping[str, Value]) -> None:
        """Begin the span of a call."""
        span = self.trace.begin(name, about, step_id=current_task_id())
        with self._lock:
            self._open[call] = span

    def end(self, call: UUID, about: Mapping[str, Value] | None = None, *, error: str = "") -> None:
        """End the span of a call, if it is open."""
        with self._lock:
            span = self._open.pop(call, None)
        if span is not None:
            span.end(about, error=error)

    def cut_off(self) -> None:
        """End the spans of calls that have not ended."""
        for call in list(self._open):
            self.end(call, error="it was cut off: nothing more was heard of it")


class ModelSpans:
    """The spans `llm.call` of a segment."""

    def __init__(self, trace: SegmentTrace) -> None:
        """Write to the trace of a segment."""
        self._spans = Spans(trace)
        self._trace = trace

    def begin(
        self,
        call: UUID,
        prompts: Sequence[Sequence[BaseMessage] | Sequence[str]],
        params: Mapping[str, Any],
        metadata: Mapping[str, Any],
    ) -> None:
        """Begin the span of a call with its messages or texts."""
        if not self._trace.is_on:
            return
        about: dict[str, Value] = {
            names.PARAMETERS: span_text(self._trace.mask_calls(dict(params)))
        }
        model, provider = metadata.get("ls_model_name"), metadata.get("ls_provider")
        if isinstance(model, str) and model:
            about |= {names.MODEL: model, names.MODEL_NAME: model}
        if isinstance(provider, str) and provider:
            about[names.PROVIDER] = provider
        sent = [message for messages in prompts for message in messages]
        about |= self._messages(names.INPUT_MESSAGES, sent, "user")
        if sent:
            last = sent[-1]
            shown = last if isinstance(last, str) else self._trace.mask_calls(last.content)
            about |= input_attributes(shown)
        if (timeout_s := _timeout_s(params)) is not None:
            about[names.TIMEOUT_MS] = round(timeout_s * 1000)
        self._spans.begin(call, SpanName.MODEL, about)

    def end(
        self, call: UUID, response: LLMResult, used: TokenUsage | None, money: Money | None
    ) -> None:
        """End the span of a call with its answers, its tokens and its price."""
        if not self._trace.is_on:
            return
        answers = [answer for each in response.generations for answer in each]
        written = [getattr(each, "message", None) or each.text for each in answers]
        about = self._messages(names.OUTPUT_MESSAGES, written, "assistant")
        about |= output_attributes("\n".join(each.text for each in answers))
        if used is not None:
            about |= {
                names.TOKENS_PROMPT: used.input,
                names.TOKENS_COMPLETION: used.output,
                names.TOKENS_TOTAL: used.tokens,
                names.TOKENS_CACHE_READ: used.cache_read,
                names.TOKENS_CACHE_WRITE: used.cache_write,
            }
        if money is not None:
            about[names.COST_TOTAL] = money.micros / MICROS
        self._spans.end(call, about)

    def end_waiting(self, call: UUID, gate_id: GateId) -> None:
        """End the span of a call that waits until a gate is decided."""
        about: dict[str, Value] = {names.HUMAN_GATE: gate_id}
        self._spans.end(call, {**about, **output_attributes("interrupted: it waits at a gate")})

    def fail(self, call: UUID, error: str) -> None:
        """End the span of a call that failed, or that was not made."""
        self._spans.end(call, error=error)

    def cut_off(self) -> None:
        """End the spans of calls that have not ended."""
        self._spans.cut_off()

    def _messages(
        self, prefix: str, messages: Sequence[BaseMessage | str], role: str
    ) -> dict[str, Value]:
        """Return messages as OpenInference lays them out: one attribute for each of their parts.

        `role` is that of a text that is no message.
        """
        left_out = max(len(messages) - MESSAGES, 0)
        shown = list(messages) if not left_out else [messages[0], *messages[1 - MESSAGES :]]
        about: dict[str, Value] = {names.LEFT_OUT: left_out} if left_out else {}
        # The arguments of a later call may be sensitive in an earlier message too: read all first.
        plain = [each if isinstance(each, str) else _plain(each, self._trace) for each in shown]
        for number, (message, content) in enumerate(zip(shown, plain, strict=True)):
            about |= _message(f"{prefix}.{number}.message", message, content, role)
        return about


class Retrievals(Handler):
    """Writes the spans `retrieval.query` of a segment, in any graph."""

    kind = EventKind.RETRIEVERS
    run_inline = True
    """It does not block, and a thread would cost more."""

    def __init__(self, trace: SegmentTrace) -> None:
        """Write to the trace of a segment."""
        self._spans = Spans(trace)

    def on_retriever_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002  (LangChain's signature)
        query: str,
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002  (LangChain's signature)
    ) -> None:
        """Begin the span of a query."""
        self._spans.begin(run_id, SpanName.RETRIEVAL, input_attributes(query))

    def on_retriever_end(
        self,
        documents: Sequence[Document],
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002  (LangChain's signature)
    ) -> None:
        """End the span of a query with what was found."""
        about: dict[str, Value] = {}
        for number, each in enumerate(documents[:MESSAGES]):
            prefix = f"{names.DOCUMENTS}.{number}.document"
            about[f"{prefix}.content"] = span_text(each.page_content)
            about[f"{prefix}.metadata"] = span_text(self._spans.trace.mask_calls(each.metadata))
            if each.id is not None:
                about[f"{prefix}.id"] = each.id
        self._spans.end(run_id, {**about, **output_attributes(f"{len(documents)} documents")})

    def on_retriever_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002  (LangChain's signature)
    ) -> None:
        """End the span of a query that failed."""
        self._spans.end(run_id, error=f"{type(error).__name__}: {error}")

    def cut_off(self) -> None:
        """End the spans of queries that have not ended."""
        self._spans.cut_off()


def _plain(message: BaseMessage, trace: SegmentTrace) -> Mapping[str, Any]:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    shown: object = {"content": cast("object", message.content), "tool_calls": calls}
    return cast("Mapping[str, Any]", trace.mask_calls(shown))


def _message(
    prefix: str, message: BaseMessage | str, plain: Mapping[str, Any] | str, role: str
) -> dict[str, Value]:
    if isinstance(message, str) or isinstance(plain, str):
        return {f"{prefix}.role": role, f"{prefix}.content": span_text(plain)}
    about: dict[str, Value] = {
        f"{prefix}.role": _role(message),
        f"{prefix}.content": span_text(plain["content"]),
    }
    call_id = getattr(message, "tool_call_id", None)
    if isinstance(call_id, str):
        about[f"{prefix}.tool_call_id"] = call_id
    if message.name:
        about[f"{prefix}.name"] = message.name
    for number, call in enumerate(plain["tool_calls"]):
        of = f"{prefix}.tool_calls.{number}.tool_call"
        about[f"{of}.function.name"] = str(call["name"])
        about[f"{of}.function.arguments"] = span_text(call["args"])
        if call.get("id"):
            about[f"{of}.id"] = str(call["id"])
    return about


def _timeout_s(params: Mapping[str, Any]) -> float | None:
    """Return the time that a request may take, where its parameters name it in seconds."""
    for name in _TIMEOUTS:
        match params.get(name):
            case bool():
                pass
            case int() | float() as seconds if 0 < seconds < inf:
                return seconds
            case _:
                pass
    return None


def _role(message: BaseMessage) -> str:
    # A streamed message has another type than a whole one.
    name = message.type.removesuffix("MessageChunk").lower()
    return _ROLES.get(name, name)
