"""Traces leave by OTLP where the standard variables say so, and never stand in a run's way."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypedDict

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.checkpoints import Store
from penstock.contracts.run import RunStatus
from penstock.contracts.trace import Protocol
from penstock.runs.settings import Otlp
from penstock.traces import trace_hex
from penstock.traces.pipeline import CLOSE_S, Pipeline
from support.checkout import import_path
from support.collectors import Collected, deaf_collector, grpc_collector, http_collector
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str


async def speak(_: State) -> State:
    return {"said": "hello"}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A store; where traces go has nothing to do with it."""
    with Store.open(sqlite_url) as opened:
        yield opened


@pytest.mark.parametrize(
    ("collector", "protocol"),
    [(http_collector, Protocol.HTTP), (grpc_collector, Protocol.GRPC)],
)
async def test_traces_arrive_in_the_project_of_their_graph(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    collector: Callable[[], AbstractContextManager[Collected]],
    protocol: Protocol,
) -> None:
    with collector() as collected:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
        pipeline = Pipeline.by_otlp(protocol)
        left = Shop(store, chain_of(State, speak, name="left"), tracing=pipeline)
        right = Shop(store, chain_of(State, speak, name="right"), tracing=pipeline)
        runs = [await left.run(), await right.run()]
        pipeline.close()
        assert collected.names == ["agent.run", "agent.run", "agent.step", "agent.step"]
        assert collected.projects == {"left", "right"}
        assert collected.traces == {trace_hex(run.id) for run in runs}


@pytest.mark.parametrize("protocol", Protocol)
async def test_a_collector_that_does_not_answer_changes_nothing_for_a_run(
    store: Store, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    # However long the exporter would wait itself.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    with deaf_collector() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        pipeline = Pipeline.by_otlp(protocol)
        run = await Shop(store, chain_of(State, speak), tracing=pipeline).run()
        assert run.status is RunStatus.SUCCEEDED, run.failure
        began_s = time.monotonic()
        pipeline.close()
        # On a machine that is busy it may take longer; the library itself waits for 30 s.
        assert time.monotonic() - began_s < CLOSE_S + 60


class Refusing(SpanExporter):
    """Fails."""

    def export(self, spans: object) -> SpanExportResult:
        """Raise."""
        raise OSError(f"{spans} are not wanted")


async def test_spans_leave_on_a_thread_of_their_own(store: Store) -> None:
    threads: set[int] = set()

    class Noting(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            threads.add(threading.get_ident() if spans else 0)
            return SpanExportResult.SUCCESS

    pipeline = Pipeline(Noting())
    await Shop(store, chain_of(State, speak), tracing=pipeline).run()
    pipeline.close()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_an_exporter_that_fails_changes_nothing_for_a_run(store: Store) -> None:
    pipeline = Pipeline(Refusing())
    run = await Shop(store, chain_of(State, speak), tracing=pipeline).run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    pipeline.close()


async def test_a_span_that_cannot_be_cleaned_is_not_exported(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ReadableSpan] = []

    class Keeping(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            seen.extend(spans)  # pyright: ignore[reportArgumentType]  (they are spans)
            return SpanExportResult.SUCCESS

    def fail(_: str) -> str:
        raise ValueError("what is this?")

    monkeypatch.setattr("penstock.traces.exporter.redact", fail)
    pipeline = Pipeline(Keeping())
    await Shop(store, chain_of(State, speak), tracing=pipeline).run()
    pipeline.flush()
    assert seen == []


async def test_the_provider_of_an_application_is_left_alone(store: Store) -> None:
    before = trace.get_tracer_provider()
    pipeline = Pipeline(Refusing())
    await Shop(store, chain_of(State, speak), tracing=pipeline).run()
    pipeline.close()
    assert trace.get_tracer_provider() is before


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, None),
        ({"EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"EXPORTER_OTLP_ENDPOINT": "http://x:1"}, Protocol.HTTP),
        ({"EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:1"}, Protocol.HTTP),
        ({"EXPORTER_OTLP_ENDPOINT": "http://x:1", "EXPORTER_OTLP_PROTOCOL": "grpc"}, Protocol.GRPC),
        (
            {
                "EXPORTER_OTLP_ENDPOINT": "http://x:1",
                "EXPORTER_OTLP_PROTOCOL": "grpc",
                "EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            Protocol.HTTP,
        ),
        ({"EXPORTER_OTLP_ENDPOINT": "http://x:1", "SDK_DISABLED": "true"}, None),
        ({"EXPORTER_OTLP_ENDPOINT": "http://x:1", "TRACES_EXPORTER": "none"}, None),
    ],
)
def test_the_standard_variables_say_whether_anything_is_exported(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: Protocol | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    assert Otlp().traces() is wanted


def test_who_exports_nothing_does_not_import_what_would() -> None:
    program = (
        "import os, sys\n"
        "os.environ['LANGGRAPH_STRICT_MSGPACK'] = 'true'\n"
        "import penstock.runs, penstock.runs.settings, penstock.ui.cli.workers\n"
        "parts = ('opentelemetry.exporter', 'opentelemetry.proto', 'penstock.traces.pipeline')\n"
        "print(sorted(name for name in sys.modules if name.startswith(parts)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": import_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
