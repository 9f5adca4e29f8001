"""A graph whose second call may end its worker, and what keeps its spans all the same."""

from collections.abc import Callable, Sequence
from typing import TypedDict

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.graphs import Graph
from penstock.nodes import tool
from support.rounds import Log
from support.shops import chain_of


class State(TypedDict, total=False):
    """What the graph works on."""

    said: str


def calling(at_second: Callable[[], None]) -> Graph:
    """Declare a graph that calls a tool in its first node, and twice in its second."""

    @tool(effect="idempotent")
    async def note(number: int) -> int:
        """Note a number."""
        if number == 2:
            at_second()
        return number

    async def first(_: State) -> State:
        return {"said": str(await note(number=0))}

    async def second(_: State) -> State:
        return {"said": str(await note(number=1) + await note(number=2))}

    return chain_of(State, first, second, name="calling", tools=[note])


class ToFile(SpanExporter):
    """Writes spans down."""

    def __init__(self, log: Log) -> None:
        """Write to a log."""
        self._log = log

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them down; they are in the file when this returns."""
        for span in spans:
            context, parent = span.get_span_context(), span.parent
            assert context is not None
            above = "-" if parent is None else parent.span_id
            self._log.write("span", span.name, context.span_id, above)
            for event in span.events:
                self._log.write("event", span.name, context.span_id, event.name)
        return SpanExportResult.SUCCESS
