"""How a store stands is seen from outside, in numbers."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, TypedDict

import pytest
from langgraph.types import interrupt
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from penstock.checkpoints import Store, gauges
from penstock.contracts.clock import SystemClock
from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import GateKind
from penstock.contracts.run import RunStatus
from penstock.contracts.trace import Protocol
from penstock.nodes import tool
from penstock.runs.settings import Otlp
from penstock.traces.metrics import MetricName, Metrics
from support.collectors import Collected, grpc_collector, http_collector
from support.models import Talker
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str


@tool(effect="idempotent")
async def look(order: str) -> str:
    """Look an order up."""
    return order


async def work(_: State) -> State:
    await Talker(model="gpt-4o").ainvoke("hi")
    await look(order="A1")
    interrupt("go on?")
    return {}


async def stand(store: Store) -> None:
    """Have a run wait at a gate, and one in the queue."""
    shop = Shop(store, chain_of(State, work, tools=[look]))
    run = await shop.run()
    assert run.status is RunStatus.WAITING, run.failure
    await shop.runtime.start("chain", {}, actor="ann")


async def test_a_store_is_counted(store: Store) -> None:
    await stand(store)
    now = SystemClock().now() + timedelta(hours=1)
    found = store.read_blocking(lambda connection: gauges.measure(connection, now=now))
    assert {name: count for name, count in found.runs.items() if count} == {
        "queued": 1,
        "waiting": 1,
    }
    assert set(found.runs) == set(RunStatus)
    assert found.open_gates[GateKind.QUESTION] == 1
    assert found.effects[EffectStatus.SUCCEEDED] == 1
    assert 3600 <= found.queue_age_s < 3900
    assert 3600 <= found.gate_age_s < 3900
    assert found.spent_tokens == 42


def test_an_empty_store_has_zeros(store: Store) -> None:
    now = SystemClock().now()
    found = store.read_blocking(lambda connection: gauges.measure(connection, now=now))
    assert (found.queue_age_s, found.gate_age_s, found.spent_tokens) == (0, 0, 0)
    assert set(found.runs.values()) == {0}


async def test_what_is_counted_is_sent(store: Store) -> None:
    await stand(store)
    looks: list[int] = []

    def look_at() -> Any:
        looks.append(1)
        now = SystemClock().now()
        return store.read_blocking(lambda connection: gauges.measure(connection, now=now))

    reader = InMemoryMetricReader()
    metrics = Metrics(reader, look_at)
    sent = points(reader)
    assert set(sent) <= set(MetricName)
    assert sent[MetricName.RUNS]["waiting"] == 1
    assert sent[MetricName.OPEN_GATES]["question"] == 1
    assert sent[MetricName.EFFECTS]["succeeded"] == 1
    assert sent[MetricName.TOKENS][""] == 42
    assert len(looks) == 1
    points(reader)
    assert len(looks) == 2
    metrics.close()


@pytest.mark.parametrize(
    ("collector", "protocol"),
    [(http_collector, Protocol.HTTP), (grpc_collector, Protocol.GRPC)],
)
async def test_metrics_arrive_at_a_collector(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    collector: Callable[[], AbstractContextManager[Collected]],
    protocol: Protocol,
) -> None:
    await stand(store)

    def look_at() -> Any:
        now = SystemClock().now()
        return store.read_blocking(lambda connection: gauges.measure(connection, now=now))

    with collector() as collected:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
        metrics = Metrics.by_otlp(protocol, look_at)
        # They are sent at the end, too: nobody waits for a minute.
        metrics.close()
        async with asyncio.timeout(30):
            while not collected.numbers:  # noqa: ASYNC110  (another thread fills it)
                await asyncio.sleep(0.02)
        numbers = collected.numbers
    assert {name for name, _ in numbers} <= set(MetricName)
    assert numbers[MetricName.RUNS, "waiting"] == numbers[MetricName.RUNS, "queued"] == 1
    assert numbers[MetricName.OPEN_GATES, "question"] == 1
    assert numbers[MetricName.EFFECTS, "succeeded"] == 1
    assert numbers[MetricName.TOKENS, ""] == 42
    assert numbers[MetricName.MONEY, "USD"] > 0


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, None),
        ({"EXPORTER_OTLP_ENDPOINT": "http://x:1"}, None),
        ({"EXPORTER_OTLP_ENDPOINT": "http://x:1", "METRICS_EXPORTER": "otlp"}, Protocol.HTTP),
        ({"EXPORTER_OTLP_METRICS_ENDPOINT": "http://x:1"}, Protocol.HTTP),
        ({"EXPORTER_OTLP_METRICS_ENDPOINT": "http://x:1", "METRICS_EXPORTER": "none"}, None),
        ({"EXPORTER_OTLP_METRICS_ENDPOINT": "http://x:1", "SDK_DISABLED": "true"}, None),
    ],
)
def test_metrics_are_sent_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: Protocol | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    assert Otlp().metrics() is wanted


def points(reader: InMemoryMetricReader) -> Mapping[str, Mapping[str, float]]:
    """Return what is sent, by metric and by what it is of."""
    data: Any = reader.get_metrics_data()
    return {
        metric.name: {
            next(iter(point.attributes.values()), ""): point.value
            for point in metric.data.data_points
        }
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
