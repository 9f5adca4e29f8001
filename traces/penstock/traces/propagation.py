"""The context of a span, handed to another process as W3C's `traceparent`."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import context
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_HEADER = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()


def traceparent_of(span: Span) -> str | None:
    """Return what says that something is a part of a span; None of a span that is none."""
    told: dict[str, str] = {}
    _PROPAGATOR.inject(told, set_span_in_context(span))
    return told.get(_HEADER)


@contextmanager
def continue_trace(traceparent: str) -> Generator[None]:
    """Have what is done within be a part of a span of another process."""
    token = context.attach(_PROPAGATOR.extract({_HEADER: traceparent}))
    try:
        yield
    finally:
        context.detach(token)
