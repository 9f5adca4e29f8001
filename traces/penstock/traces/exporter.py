"""The exporter through which all spans leave the process, redacted.

An exporter is the only place for it. A processor sees spans that it cannot change, and whoever sets
attributes may be anybody's code: names, attributes of any kind and their keys, events, links and
the status are redacted here.
"""

import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, Status
from opentelemetry.util.types import Attributes

from penstock.contracts.redaction import Masking, redact
from penstock.contracts.trace import TraceContent
from penstock.traces import names
from penstock.traces.segment import truncate

log = logging.getLogger(__name__)

REMEMBERED = 10_000
"""So many runs' sensitive values are known here after their segments; more than a queue holds."""

_IDENTITIES = frozenset({names.USER_ID, names.DECIDED_BY})
"""Where one of these looks like personal data, a digest stands for it."""

_NAMES = frozenset(
    value
    for name, value in vars(names).items()
    if name.isupper() and isinstance(value, str) and "/" not in value
)
_TITLES = frozenset({*names.SpanName, *names.EventName, "exception"})
_OURS = (f"{names.INPUT_MESSAGES}.", f"{names.OUTPUT_MESSAGES}.", f"{names.DOCUMENTS}.")
_STRUCTURAL_ENDS = (".message.role", ".tool_call.function.name", ".tool_call.id")

_KEY = secrets.token_bytes(32)


class MaskingByTrace:
    """What is sensitive in which trace. From any thread."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, Masking] = OrderedDict()

    def add(self, trace_id: int, hiding: Masking) -> None:
        """Hide this in a trace from now on."""
        self._of[trace_id] = hiding
        self._of.move_to_end(trace_id)
        while len(self._of) > REMEMBERED:
            self._of.popitem(last=False)

    def get(self, trace_id: int) -> Masking | None:
        """Return what is hidden in a trace."""
        return self._of.get(trace_id)


class RedactingExporter(SpanExporter):
    """Exports what its graph lets out of each span."""

    def __init__(self, inner: SpanExporter, hidings: MaskingByTrace, *, gen_ai: bool) -> None:
        """Hand what is clean to `inner`; with `gen_ai` under OpenTelemetry's names as well."""
        self._inner = inner
        self._hidings = hidings
        self._gen_ai = gen_ai

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans; one that cannot be cleaned is not exported."""
        clean = [found for span in spans if (found := self._clean(span)) is not None]
        return self._inner.export(clean)

    def shutdown(self) -> None:
        """Shut down what exports."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what the inner one holds."""
        return self._inner.force_flush(timeout_millis)

    def _clean(self, span: ReadableSpan) -> ReadableSpan | None:
        try:
            return self._cleaned(span)
        except Exception:
            log.exception("a span is not exported, because it could not be cleaned")
            return None

    def _cleaned(self, span: ReadableSpan) -> ReadableSpan:
        context, status = span.get_span_context(), span.status
        content = TraceContent(str(span.resource.attributes[names.CONTENT]))
        cleaner = _Cleaner(
            content, None if context is None else self._hidings.get(context.trace_id)
        )
        attributes = cleaner.attributes(span.attributes)
        if self._gen_ai:
            attributes |= _as_gen_ai(span.name, attributes)
        description = status.description
        return ReadableSpan(
            name=cleaner.title(span.name),
            context=context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes,
            events=[
                Event(cleaner.title(each.name), cleaner.attributes(each.attributes), each.timestamp)
                for each in span.events
            ],
            links=[
                Link(_bare(each.context), cleaner.attributes(each.attributes))
                for each in span.links
            ],
            kind=span.kind,
            instrumentation_scope=span.instrumentation_scope,
            status=Status(status.status_code, description and cleaner.text(description)),
            start_time=span.start_time,
            end_time=span.end_time,
        )


class _Cleaner:
    """Cleans the parts of one span."""

    def __init__(self, content: TraceContent, hiding: Masking | None) -> None:
        self._content = content
        self._hiding = hiding

    def name(self, text: str) -> str:
        """Return a name: of a span, a tool, a state."""
        if self._content is TraceContent.FULL:
            return text
        return _named(self._known(text))

    def title(self, text: str) -> str:
        """Return the name of a span or an event, which may be anybody's."""
        is_known = text in _TITLES or self._content is not TraceContent.DIGESTS
        return self.name(text) if is_known else _digest(text)

    def text(self, text: str) -> str:
        """Return what is shown of a text that anybody may have written."""
        if self._content is TraceContent.DIGESTS:
            return _digest(text)
        if self._content is TraceContent.FULL:
            return truncate(text)
        return truncate(redact(self._known(text)))

    def _known(self, text: str) -> str:
        """Return a text without what is known to be sensitive."""
        return text if self._hiding is None else self._hiding.mask_text(text)

    def attributes(self, found: Attributes) -> dict[str, Any]:
        """Return attributes with what is shown of their values."""
        return dict(self._attribute(key, value) for key, value in (found or {}).items())

    def _attribute(self, key: str, value: Any) -> tuple[str, Any]:
        if self._content is TraceContent.FULL:
            return key, _deep(truncate, value)
        is_ours = key in _NAMES or key.startswith(_OURS)
        if key in _IDENTITIES:
            return key, _deep(self._identity, value)
        if key in names.STRUCTURAL or (is_ours and key.endswith(_STRUCTURAL_ENDS)):
            return key, _deep(self.name, value)
        if is_ours:
            return key, _deep(self.text, value)
        # Somebody's own: a number or a key may say as much as a text.
        if self._content is TraceContent.DIGESTS:
            return _digest(key), _digest(repr(value))
        return self.name(key), _deep(self.text, value)

    def _identity(self, text: str) -> str:
        """Return who or what it is; where that looks personal, what tells it from others."""
        if self.name(text) == text and self._content is not TraceContent.DIGESTS:
            return text
        return _digest(text)


@lru_cache(maxsize=4096)
def _named(text: str) -> str:
    # Most of a span are names that the span before had too.
    return redact(text)


def _deep(show: Callable[[str], str], value: Any) -> Any:
    if isinstance(value, str):
        return show(value)
    if isinstance(value, bytes):
        return show(value.decode(errors="replace"))
    if isinstance(value, Sequence):
        return tuple(_deep(show, each) for each in cast("Sequence[Any]", value))
    # A card's number may be a number.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if show(str(value)) == str(value) else show(str(value))
    return value


def _digest(text: str) -> str:
    """Return what tells a text from others in this process, and nothing else about it."""
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), key=_KEY, digest_size=8)
    return f"digest:{digest.hexdigest()}"


def _bare(context: SpanContext) -> SpanContext:
    """Return whose span it is, without what others have written beside it."""
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


def _as_gen_ai(name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = {names.GEN_AI[key]: attributes[key] for key in names.GEN_AI if key in attributes}
    operation = names.GEN_AI_OPERATIONS.get(name)
    return found if operation is None else {**found, names.GEN_AI_OPERATION: operation}
