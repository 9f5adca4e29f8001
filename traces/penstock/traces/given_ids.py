"""Spans with ids that are known beforehand."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator


class GivenIds(RandomIdGenerator):
    """Makes the ids that were given for the next span, and random ones otherwise."""

    def __init__(self) -> None:
        self._given: ContextVar[tuple[int, int] | None] = ContextVar("given", default=None)

    @contextmanager
    def given(self, trace_id: int, span_id: int) -> Generator[None]:
        """Have the span that is started in this have these ids."""
        token = self._given.set((trace_id, span_id))
        try:
            yield
        finally:
            self._given.reset(token)

    def generate_trace_id(self) -> int:
        """Return the id for a span that has no parent."""
        given = self._given.get()
        return super().generate_trace_id() if given is None else given[0]

    def generate_span_id(self) -> int:
        """Return the id for a span."""
        given = self._given.get()
        return super().generate_span_id() if given is None else given[1]
