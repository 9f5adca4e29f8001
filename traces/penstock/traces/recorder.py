"""Recording the spans of a segment, each as soon as it has ended.

A segment also records what a lost worker could not: its unfinished steps and its own span. The ids
of segments, steps and gates are known beforehand, so a span that is written twice is one span.
"""

import json
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opentelemetry import context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from penstock.contracts.audit import AuditEvent
from penstock.contracts.clock import Clock
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import GateId
from penstock.contracts.redaction import Masking
from penstock.contracts.run import Run, RunStatus
from penstock.contracts.step import Step, StepStatus
from penstock.traces import names
from penstock.traces.ids import (
    caller_of,
    gate_span_id,
    parse_traceparent,
    segment_span_id,
    step_span_id,
    trace_id,
)
from penstock.traces.names import KINDS, EventName, SpanName
from penstock.traces.propagation import traceparent_of
from penstock.traces.segment import (
    OpenSpan,
    SegmentTrace,
    Value,
    input_attributes,
    output_attributes,
)

_CLAIMED = "run.claimed"

_LEFT = frozenset(f"run.{status}" for status in RunStatus if status is not RunStatus.RUNNING)
"""What ends a segment; a run that is queued for the first time has no epoch yet."""

LOST = "its worker was lost"
"""What is said of what a worker did not come to the end of."""

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSegment:
    """A segment that its worker did not come to the end of."""

    epoch: int
    worker: str
    began_at: datetime
    ended_at: datetime
    """When the worker was declared dead."""


class PresetIds(RandomIdGenerator):
    """Makes the ids that were given for the next span, and random ones otherwise."""

    def __init__(self) -> None:
        self._given: ContextVar[tuple[int, int] | None] = ContextVar("given", default=None)

    @contextmanager
    def preset(self, trace_id: int, span_id: int) -> Generator[None]:
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


class RecordedSegment(SegmentTrace):
    """Writes the spans of a segment, each as soon as it has ended."""

    is_on = True

    def __init__(
        self,
        tracer: Tracer,
        ids: PresetIds,
        hiding: Masking,
        clock: Clock,
        run: Run,
        *,
        timeouts_s: Mapping[str, float],
    ) -> None:
        """Begin the segment of `run`, as it was claimed."""
        self._tracer = tracer
        self._ids = ids
        self._hiding = hiding
        self._clock = clock
        self._run = run
        self._timeouts_s = timeouts_s
        self._tries: Counter[str] = Counter()
        self._tokens_left: int | None = None
        self._written: set[int] = set()
        self._common = _common(run)
        self._root_context = self._context(segment_span_id(run.id, run.epoch))
        self._root = self._segment(run.epoch, str(run.worker_id), at=clock.now())

    def as_current(self) -> AbstractContextManager[None]:
        """Have what is done within be a part of the segment."""
        return _current(self._root)

    def begin(
        self,
        name: SpanName,
        attributes: Mapping[str, Value],
        *,
        step_id: str | None,
        began_at: datetime | None = None,
    ) -> OpenSpan:
        """Begin a span in the tool call, the step or the segment that this is called in."""
        about = attributes if step_id is None else {names.STEP_ID: step_id, **attributes}
        around = get_current_span().get_span_context()
        root = self._root_context
        if around.trace_id != root.trace_id or around.span_id == root.span_id:
            around = self._step_context(step_id)
        span = self._start(name, about, parent=around, at=began_at or self._clock.now())
        return _Recorded(self, span)

    def mask_calls(self, value: object) -> object:
        """Return a value as plain data, without what is sensitive in the calls that it asks for."""
        return self._hiding.mask_calls(value)

    def mask_arguments(self, tool: str, arguments: object) -> object:
        """Return the arguments of a call as plain data, without what is sensitive."""
        return self._hiding.mask_arguments(tool, arguments)

    def set_tokens_left(self, count: int | None) -> None:
        """Take note of what is left of the run's budget."""
        self._tokens_left = count

    def count_attempt(self, step_id: str) -> None:
        """Take note of an attempt of a step that begins: the first, or another."""
        self._tries[step_id] += 1

    def record_step(self, step: Step, result: object) -> None:
        """Write down a step that has ended, and what it wrote."""
        shown = "interrupted" if step.status is StepStatus.PARKED else self.mask_calls(result)
        ended_at = step.ended_at or self._clock.now()
        self._step(step, output_attributes(shown), ended_at=ended_at, error=step.error or "")

    def record_history(
        self, events: Sequence[AuditEvent], gates: Sequence[Gate], steps: Sequence[Step]
    ) -> None:
        """Write down what was before: who called, the waiting at gates, what a worker left."""
        if (caller := caller_of(events)) is not None:
            self._root.add_link(SpanContext(*parse_traceparent(caller), is_remote=True))
        lost, since = lost_before(events, self._run.epoch)
        for each in lost:
            self._lost(each, steps)
        if lost:
            self._root.add_event(EventName.TAKEOVER, {names.WORKER: lost[0].worker}, self._now_ns())
        for gate in gates:
            if gate.closed_at is not None and since is not None and gate.closed_at >= since:
                self._wait(gate, gate.closed_at)

    def record_result(self, values: object) -> None:
        """Take note of what the run came to."""
        self._root.set_attributes(output_attributes(self.mask_calls(values)))

    def record_gates(self, gates: Mapping[GateId, GateKind]) -> None:
        """Take note of the gates at which the segment ends."""
        kinds = ", ".join(sorted(set(gates.values())))
        about: dict[str, Value] = {names.HUMAN_GATE: ",".join(sorted(gates))}
        self._root.set_attributes({**about, **output_attributes(f"interrupted: {kinds}")})

    def end(self, run: Run, running: Sequence[Step]) -> None:
        """End the segment with `run` as it was left, and the steps that have not ended by then."""
        cut_off = "it was cut off" if run.status is RunStatus.FAILED else ""
        for step in running:
            self._step(step, {}, ended_at=self._clock.now(), error=cut_off)
        told: dict[str, Value] = {names.RUN_STATUS: run.status}
        error = ""
        match run.status:
            case RunStatus.FAILED if run.failure is not None:
                told[names.FAILURE] = run.failure.code
                error = f"{run.failure.code}: {run.failure.message}"
                told |= output_attributes(error)
            case RunStatus.CANCELLED:
                told |= output_attributes(f"cancelled: {run.cancel_reason or run.cancel_by or ''}")
            case RunStatus.QUEUED:
                told |= output_attributes(
                    "given back: another worker goes on from the last checkpoint"
                )
            case _:
                pass
        self.finish(self._root, told, error=error)

    def finish(
        self, span: Span, attributes: Mapping[str, Value], *, error: str, at: datetime | None = None
    ) -> None:
        """End a span, now or at an instant."""
        if not span.is_recording():
            return
        if self._tokens_left is not None:
            span.set_attribute(names.BUDGET_TOKENS_REMAINING, self._tokens_left)
        span.set_attributes(attributes)
        # Phoenix shows a span without a status as one of which nothing is known.
        span.set_status(Status(StatusCode.ERROR, error) if error else Status(StatusCode.OK))
        span.end(_ns(at or self._clock.now()))

    def add_event(self, span: Span, name: EventName, attributes: Mapping[str, Value]) -> None:
        """Tell of something that happens in a span now."""
        span.add_event(name, attributes, _ns(self._clock.now()))

    # ---- what has ids that are known beforehand ----

    def _segment(self, epoch: int, worker: str, *, at: datetime) -> Span:
        run = self._run
        about: dict[str, Value] = {
            names.SEGMENT: epoch,
            names.WORKER: worker,
            names.AGENT_NAME: run.graph,
            names.RETRY_COUNT: run.lost_count,
            **input_attributes(self.mask_calls(json.loads(run.input))),
        }
        if run.deadline_s is not None:
            about[names.TIMEOUT_MS] = _ms(run.deadline_s)
        span_id = segment_span_id(run.id, epoch)
        return self._start(SpanName.RUN, about, parent=None, at=at, span_id=span_id)

    def _lost(self, lost: LostSegment, steps: Sequence[Step]) -> None:
        """Write a segment whose worker could not."""
        for step in steps:
            if step.epoch == lost.epoch and step.status is StepStatus.STARTED:
                self._step(step, {}, ended_at=lost.ended_at, error=LOST)
        span = self._segment(lost.epoch, lost.worker, at=lost.began_at)
        span.add_event(EventName.LEASE_LOST, {names.WORKER: lost.worker}, _ns(lost.ended_at))
        self.finish(span, {}, error=LOST, at=lost.ended_at)

    def _step(
        self, step: Step, shown: Mapping[str, Value], *, ended_at: datetime, error: str
    ) -> None:
        span_id = step_span_id(step.run_id, step.epoch, step.task_id)
        outer = step.namespace.rpartition(":")[2] or None
        about: dict[str, Value] = {
            names.STEP_ID: step.task_id,
            names.NODE: step.node,
            names.STEP_KIND: step.kind,
            names.STEP_STATUS: step.status,
        }
        if step.epoch == self._run.epoch:
            about[names.RETRY_COUNT] = max(self._tries.pop(step.task_id, 1) - 1, 0)
        if (timeout_s := self._timeouts_s.get(step.node)) is not None:
            about[names.TIMEOUT_MS] = _ms(timeout_s)
        span = self._start(
            SpanName.STEP,
            about,
            parent=self._step_context(outer, epoch=step.epoch),
            at=step.started_at,
            # One that is executed twice in a segment is two spans.
            span_id=None if span_id in self._written else span_id,
        )
        self._written.add(span_id)
        self.finish(span, shown, error=error, at=ended_at)

    def _wait(self, gate: Gate, closed_at: datetime) -> None:
        about: dict[str, Value] = {
            names.HUMAN_GATE: gate.id,
            names.GATE_KIND: gate.kind,
            names.GATE_STATUS: gate.status,
            **input_attributes(self.mask_calls(json.loads(gate.question))),
        }
        if gate.effect_key is not None:
            about[names.EFFECT_KEY] = gate.effect_key
        if gate.decision is not None:
            about[names.GATE_DECISION] = gate.decision
        if gate.decided_by is not None:
            about[names.DECIDED_BY] = gate.decided_by
        if gate.expires_at is not None:
            about[names.TIMEOUT_MS] = _ms((gate.expires_at - gate.opened_at).total_seconds())
        answer = gate.status if gate.answer is None else self.mask_calls(json.loads(gate.answer))
        span = self._start(
            SpanName.WAIT,
            about,
            parent=self._root_context,
            at=gate.opened_at,
            span_id=gate_span_id(gate.id),
        )
        self.finish(span, output_attributes(answer), error="", at=closed_at)

    # ---- making spans ----

    def _start(
        self,
        name: SpanName,
        attributes: Mapping[str, Value],
        *,
        parent: SpanContext | None,
        at: datetime,
        span_id: int | None = None,
    ) -> Span:
        around = context.Context()
        if parent is not None:
            around = set_span_in_context(NonRecordingSpan(parent), around)
        about = {**self._common, names.KIND: KINDS[name], **attributes}
        if span_id is None:
            return self._tracer.start_span(name, around, attributes=about, start_time=_ns(at))
        with self._ids.preset(self._root_context.trace_id, span_id):
            return self._tracer.start_span(name, around, attributes=about, start_time=_ns(at))

    def _step_context(self, step_id: str | None, *, epoch: int | None = None) -> SpanContext:
        """Return the context of a step, which may not be written yet; without one the segment's."""
        run, of = self._run, epoch or self._run.epoch
        if step_id is None:
            return self._context(segment_span_id(run.id, of))
        return self._context(step_span_id(run.id, of, step_id))

    def _context(self, span_id: int) -> SpanContext:
        return SpanContext(
            trace_id(self._run.id),
            span_id,
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )

    def _now_ns(self) -> int:
        return _ns(self._clock.now())


def lost_before(
    events: Sequence[AuditEvent], epoch: int
) -> tuple[Sequence[LostSegment], datetime | None]:
    """Return what was lost right before a segment, and when the one before that began.

    None where there was none. Several workers may have been lost one after the other, each before
    it could write down what it had found.
    """
    began = {_epoch(each): each for each in events if each.action == _CLAIMED}
    left: dict[int, AuditEvent] = {}
    for each in events:
        if each.action in _LEFT:
            left.setdefault(_epoch(each), each)
    lost: list[LostSegment] = []
    for number in range(epoch - 1, 0, -1):
        claimed, end = began.get(number), left.get(number)
        if claimed is None or end is None:
            break
        worker = end.detail.get("lost_worker")
        if worker is None:
            return lost, claimed.at
        lost.append(
            LostSegment(epoch=number, worker=str(worker), began_at=claimed.at, ended_at=end.at)
        )
    return lost, None


def _epoch(event: AuditEvent) -> int:
    found = event.detail.get("epoch")
    return found if isinstance(found, int) else 0


class _Recorded(OpenSpan):
    def __init__(self, segment: RecordedSegment, span: Span) -> None:
        self._segment = segment
        self._span = span

    def as_current(self) -> AbstractContextManager[None]:
        return _current(self._span)

    def traceparent(self) -> str | None:
        return traceparent_of(self._span)

    def set(self, attributes: Mapping[str, Value]) -> None:
        self._span.set_attributes(attributes)

    def event(self, name: EventName, attributes: Mapping[str, Value]) -> None:
        self._segment.add_event(self._span, name, attributes)

    def end(self, attributes: Mapping[str, Value] | None = None, *, error: str = "") -> None:
        self._segment.finish(self._span, attributes or {}, error=error)


@contextmanager
def _current(span: Span) -> Generator[None]:
    token = context.attach(set_span_in_context(span))
    try:
        yield
    finally:
        context.detach(token)


def _common(run: Run) -> Mapping[str, Value]:
    """Return what every span of a run says."""
    about = {
        "graph_version": run.graph_version,
        "fingerprint": run.fingerprint,
        "tenant": run.tenant,
        "mode": run.mode,
    }
    return {
        names.RUN_ID: run.id,
        names.SESSION_ID: run.thread_id,
        names.USER_ID: run.principal,
        names.GRAPH: run.graph,
        names.METADATA: json.dumps(about),
        names.TAGS: (run.graph, run.tenant, run.mode, *run.tags),
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _ns(at: datetime) -> int:
    return (at - _ZERO) // _MICROSECOND * 1000
