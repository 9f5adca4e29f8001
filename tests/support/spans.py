"""Spans as they would leave the process, kept in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from penstock.contracts.run import Run
from penstock.traces import segment_span_id, trace_hex
from penstock.traces.pipeline import Pipeline
from support import conventions

Branch = tuple[str, list[Any]]
"""The name of a span, and the branches below it."""


class Spans:
    """What was exported, and what exports it."""

    def __init__(self, *, gen_ai: bool = False) -> None:
        self.exporter = InMemorySpanExporter()
        self.pipeline = Pipeline(self.exporter, gen_ai=gen_ai)

    def all(self) -> Sequence[ReadableSpan]:
        """Return every span that has ended, in the order of their beginnings."""
        self.pipeline.flush()
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> Sequence[ReadableSpan]:
        """Return the spans of a name."""
        return [span for span in self.all() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """Return the only span of a name."""
        (found,) = self.named(name)
        return found

    def root(self, run: Run, epoch: int) -> ReadableSpan:
        """Return the root of a segment."""
        wanted = segment_span_id(run.id, epoch)
        (found,) = [span for span in self.all() if span_id(span) == wanted]
        return found

    def check_tree(self, run: Run) -> None:
        """Make sure that all of it is one tree for each segment, in the trace of the run."""
        spans = self.all()
        ids = [span_id(span) for span in spans]
        assert len(set(ids)) == len(ids), "a span was written twice"
        for span in spans:
            assert trace_id(span) == trace_hex(run.id)
            assert span.name == "agent.run" or span.parent is not None
            assert span.parent is None or span.parent.span_id in ids, (
                f"{span.name} hangs in the air"
            )
            assert span.status.status_code is not StatusCode.UNSET
            conventions.check(span)

    def tree(self) -> list[Branch]:
        """Return the names of all spans as a tree, children in the order of their beginnings."""
        spans = self.all()

        def below(parent: int | None) -> list[Branch]:
            children = [
                span
                for span in spans
                if (None if span.parent is None else span.parent.span_id) == parent
            ]
            return [(span.name, below(span_id(span))) for span in children]

        return below(None)


def span_id(span: ReadableSpan) -> int:
    """Return the id of a span."""
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def trace_id(span: ReadableSpan) -> str:
    """Return the id of a span's trace, in hex digits."""
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}"


def told(span: ReadableSpan) -> Mapping[str, Any]:
    """Return what a span says."""
    return dict(span.attributes or {})
