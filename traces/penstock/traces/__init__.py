"""What is seen of runs from outside: spans, cleaned on their way out."""

from penstock.traces import names
from penstock.traces.ids import gate_span_id, segment_span_id, span_hex, step_span_id, trace_hex
from penstock.traces.names import EventName, SpanName
from penstock.traces.segment import OpenSpan, SegmentTrace, Tracing

__all__ = [
    "EventName",
    "OpenSpan",
    "SegmentTrace",
    "SpanName",
    "Tracing",
    "gate_span_id",
    "names",
    "segment_span_id",
    "span_hex",
    "step_span_id",
    "trace_hex",
]
