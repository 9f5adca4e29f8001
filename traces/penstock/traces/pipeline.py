"""Where the traces of a process go: one pipeline for all its graphs.

Spans are ended on a run's own path and leave on a thread of their own. Nothing waits for a
collector: what it does not take in time is lost, and the run is not.
"""

import logging
import threading
from collections.abc import Collection, Mapping

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer

from penstock.contracts.clock import Clock
from penstock.contracts.redaction import Masking, redact
from penstock.contracts.run import Run
from penstock.contracts.trace import Protocol, TraceContent
from penstock.traces import names
from penstock.traces.exporter import MaskingByTrace, RedactingExporter
from penstock.traces.ids import trace_id
from penstock.traces.recorder import PresetIds, RecordedSegment
from penstock.traces.segment import SegmentTrace, Tracing

log = logging.getLogger(__name__)

CLOSE_S = 3.0
"""How long the last spans may take when a process ends."""

ATTRIBUTE_LIMIT = 512
"""Of a span; a long conversation has two for each message."""


class Pipeline(Tracing):
    """Makes the tracers of graphs, and sends what they write."""

    def __init__(self, exporter: SpanExporter, *, gen_ai: bool = False) -> None:
        """Send spans with `exporter`, with `gen_ai` under OpenTelemetry's names as well."""
        self.ids = PresetIds()
        self._hidings = MaskingByTrace()
        self._processor: SpanProcessor = BatchSpanProcessor(
            RedactingExporter(exporter, self._hidings, gen_ai=gen_ai)
        )
        self._tracers: dict[tuple[str, TraceContent], Tracer] = {}

    @classmethod
    def by_otlp(cls, protocol: Protocol, *, gen_ai: bool = False) -> "Pipeline":
        """Send spans by OTLP, to where the standard `OTEL_*` variables say."""
        return cls(_exporter(protocol), gen_ai=gen_ai)

    def segment(
        self,
        run: Run,
        clock: Clock,
        *,
        content: TraceContent,
        sensitive: Mapping[str, Collection[str]],
        timeouts_s: Mapping[str, float],
    ) -> SegmentTrace:
        """Begin the trace of a segment of `run`, as it was claimed."""
        hiding = Masking({} if content is TraceContent.FULL else sensitive)
        self._hidings.add(trace_id(run.id), hiding)
        tracer = self.tracer(run.graph, content)
        return RecordedSegment(tracer, self.ids, hiding, clock, run, timeouts_s=timeouts_s)

    def tracer(self, graph: str, content: TraceContent) -> Tracer:
        """Return what writes the spans of a graph.

        Each has a provider of its own, because Phoenix finds the project of a span on its resource;
        what they write goes through one queue. An application's own provider is left alone.
        """
        known = self._tracers.get((graph, content))
        if known is None:
            ours = {names.PROJECT: redact(graph), names.CONTENT: content}
            provider = TracerProvider(
                # Who samples does so for whole runs, which may take days: in a collector.
                sampler=ALWAYS_ON,
                resource=resource().merge(Resource(ours)),
                id_generator=self.ids,
                span_limits=SpanLimits(max_span_attributes=ATTRIBUTE_LIMIT),
                shutdown_on_exit=False,
            )
            provider.add_span_processor(self._processor)
            known = self._tracers[graph, content] = provider.get_tracer("penstock")
        return known

    def flush(self) -> None:
        """Wait until what has ended by now was handed to the exporter. For tests and scripts."""
        self._processor.force_flush()

    def close(self, *, within_s: float = CLOSE_S) -> None:
        """Send what has ended and stop; what is not sent within `within_s` is lost."""
        closing = threading.Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(within_s)
        if closing.is_alive():
            log.warning("the last spans were not sent within %g s, and are lost", within_s)


def resource() -> Resource:
    """Return what the environment says of this process, with a name where it says none."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "penstock"}))
    return found


def _exporter(protocol: Protocol) -> SpanExporter:
    # Either takes half a second to import, and only one is wanted.
    if protocol is Protocol.GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )

        return OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter as HttpSpanExporter,
    )

    return HttpSpanExporter()
