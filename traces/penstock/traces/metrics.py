"""Metrics: a store in numbers, sent every minute to whoever draws and alerts."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)

from penstock.contracts.gauges import Gauges
from penstock.contracts.trace import Protocol
from penstock.traces.pipeline import CLOSE_S, resource

MICROS = 1_000_000


class MetricName(StrEnum):
    """The names of metrics. `docs/traces.md` has the same as a table."""

    RUNS = "penstock.runs"
    QUEUE_AGE = "penstock.queue.age"
    OPEN_GATES = "penstock.gates.open"
    GATE_AGE = "penstock.gates.age"
    EFFECTS = "penstock.effects"
    TOKENS = "penstock.spend.tokens"
    MONEY = "penstock.spend.money"


_Told = Iterable[tuple[float, Mapping[str, str]]]

_METRICS: Sequence[tuple[MetricName, str, str, Callable[[Gauges], _Told]]] = (
    (
        MetricName.RUNS,
        "{run}",
        "Runs by state",
        lambda found: [(count, {"status": name}) for name, count in found.runs.items()],
    ),
    (
        MetricName.QUEUE_AGE,
        "s",
        "How long the oldest queued run has waited for a worker",
        lambda found: [(found.queue_age_s, {})],
    ),
    (
        MetricName.OPEN_GATES,
        "{gate}",
        "Gates that wait for an answer, by kind",
        lambda found: [(count, {"kind": name}) for name, count in found.open_gates.items()],
    ),
    (
        MetricName.GATE_AGE,
        "s",
        "How long the oldest open gate has waited",
        lambda found: [(found.gate_age_s, {})],
    ),
    (
        MetricName.EFFECTS,
        "{call}",
        "Tool calls by what they came to",
        lambda found: [(count, {"status": name}) for name, count in found.effects.items()],
    ),
    (
        MetricName.TOKENS,
        "{token}",
        "Tokens that all runs have used",
        lambda found: [(found.spent_tokens, {})],
    ),
    (
        MetricName.MONEY,
        "1",
        "What all runs have cost, by currency",
        lambda found: [
            (sum_ / MICROS, {"currency": of}) for of, sum_ in found.spent_micros.items()
        ],
    ),
)


class Metrics:
    """Sends how a store stands, as long as it is not closed."""

    def __init__(self, reader: MetricReader, look: Callable[[], Gauges]) -> None:
        """Have `reader` ask `look`, on a thread of its own, whenever it sends."""
        self._look = look
        self._provider = MeterProvider([reader], resource(), shutdown_on_exit=False)
        meter = self._provider.get_meter("penstock")
        self._found: Gauges | None = None
        for number, (name, unit, about, told) in enumerate(_METRICS):
            observe = self._observer(told, is_first=number == 0)
            meter.create_observable_gauge(name, [observe], unit=unit, description=about)

    @classmethod
    def by_otlp(cls, protocol: Protocol, look: Callable[[], Gauges]) -> "Metrics":
        """Send them by OTLP, to where the standard `OTEL_*` variables say."""
        return cls(PeriodicExportingMetricReader(_exporter(protocol)), look)

    def close(self) -> None:
        """Send them once more, and no more."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _observer(
        self, told: Callable[[Gauges], _Told], *, is_first: bool
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            # All are asked in their order, one after the other: one look is for all of them.
            if is_first or self._found is None:
                self._found = None
                self._found = self._look()
            return [Observation(value, about) for value, about in told(self._found)]

        return observe


def _exporter(protocol: Protocol) -> MetricExporter:
    if protocol is Protocol.GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415
            OTLPMetricExporter,
        )

        return OTLPMetricExporter()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter as HttpMetricExporter,
    )

    return HttpMetricExporter()
