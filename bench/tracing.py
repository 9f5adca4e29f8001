"""What tracing costs: `python -m bench.tracing`.

A governed call without traces, with traces that somebody takes, and with traces that nobody takes,
in turns; and what it takes to clean spans on their way out.
"""

import argparse
import asyncio
import os
import socket
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext
from rich.console import Console
from rich.table import Table

from bench.calls import calls_of_run, make_call
from penstock.checkpoints import Store, migrate
from penstock.contracts.trace import Protocol, TraceContent
from penstock.nodes import tool
from penstock.traces import Tracing, names
from penstock.traces.exporter import MaskingByTrace, RedactingExporter
from penstock.traces.pipeline import Pipeline

OFF, TAKEN, DEAD = "off", "taken", "nobody takes them"
CONCURRENCY = 8


class Encoding(SpanExporter):
    """Does all that an exporter does, but for the sending."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans as they are sent."""
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=500)
    options = parser.parse_args()
    console = Console()
    found: dict[str, list[tuple[float, float]]] = {OFF: [], TAKEN: [], DEAD: []}
    with TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder, _deaf() as url:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        make: dict[str, Callable[[], Tracing]] = {
            OFF: Tracing,
            TAKEN: lambda: Pipeline(Encoding()),
            DEAD: lambda: Pipeline.by_otlp(Protocol.HTTP),
        }
        for number in range(options.rounds):
            for kind, tracing in make.items():
                store_url = f"sqlite:///{folder}/{number}-{len(kind)}.db"
                found[kind].append(asyncio.run(_round(store_url, tracing(), options.calls)))
    table = Table("traces", "CPU ms a call", "÷ off", "calls/s", "÷ off", title="a governed call")
    cpu, rate = ({kind: [each[part] for each in found[kind]] for kind in found} for part in (0, 1))
    for kind in found:
        table.add_row(
            kind,
            f"{median(cpu[kind]):.2f}",
            _ratio(cpu[kind], cpu[OFF]),
            f"{median(rate[kind]):,.0f}",
            _ratio(rate[kind], rate[OFF]),
        )
    console.print(table)
    console.print(_cleaning())


def _ratio(these: Sequence[float], others: Sequence[float]) -> str:
    ratios = sorted(one / other for one, other in zip(these, others, strict=True))
    return f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


async def _round(url: str, tracing: Tracing, count: int) -> tuple[float, float]:
    """Return the CPU milliseconds of a call, all threads together, and calls a second."""
    migrate(url)
    governed = tool(add, name="add", effect="unsafe")
    with Store.open(url) as store:
        calls, free = calls_of_run(store, tracing), asyncio.Semaphore(CONCURRENCY)

        async def call(number: int) -> None:
            async with free:
                await make_call(calls, governed, number)

        await asyncio.gather(*(call(-number) for number in range(1, 20)))
        cpu_s, began_s = time.process_time(), time.perf_counter()
        await asyncio.gather(*(call(number) for number in range(count)))
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    tracing.close()
    return 1e3 * cpu_s / count, count / took_s


def _cleaning() -> Table:
    prose = "The order 12345678 was late by 3 days, and 25.00 EUR are asked back for it. " * 200
    shapes: dict[str, dict[str, str]] = {
        "tool.call, 200 characters": {names.INPUT: prose[:100], names.OUTPUT: prose[:100]},
        "llm.call, 8,000 characters": {
            f"{names.INPUT_MESSAGES}.{number}.message.content": prose[:800] for number in range(10)
        },
    }
    table = Table("span", "µs to clean", "µs to encode", title="on the exporter's thread")
    for shape, about in shapes.items():
        span = _span(shape, about)
        nothing = InMemorySpanExporter()
        cleaned = RedactingExporter(nothing, MaskingByTrace(), gen_ai=False)
        table.add_row(
            shape,
            f"{_us(lambda cleaned=cleaned, span=span: cleaned.export([span])):,.0f}",
            f"{_us(lambda span=span: encode_spans([span]).SerializeToString()):,.0f}",
        )
    return table


def _span(name: str, about: Mapping[str, str]) -> ReadableSpan:
    context = SpanContext(1, 1, is_remote=False)
    resource = Resource({names.PROJECT: "bench", names.CONTENT: TraceContent.REDACTED})
    scope = InstrumentationScope("penstock")
    return ReadableSpan(
        name, context, resource=resource, attributes=about, instrumentation_scope=scope
    )


def _us(act: Callable[[], object]) -> float:
    taken: list[float] = []
    for _ in range(200):
        began_s = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began_s)
    return median(taken) * 1e6


@contextmanager
def _deaf() -> Generator[str]:
    """Let everybody connect, and answer nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


if __name__ == "__main__":
    main()
