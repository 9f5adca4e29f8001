"""The trace of one segment of a run, as the code that drives the segment sees it.

The classes here trace nothing and cost nothing: they are used where no traces are wanted.
`penstock.traces.recorder` has those that record spans.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from penstock.contracts.audit import AuditEvent
from penstock.contracts.clock import Clock
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import GateId
from penstock.contracts.run import Run
from penstock.contracts.step import Step
from penstock.contracts.trace import TraceContent
from penstock.traces.names import (
    INPUT,
    INPUT_TYPE,
    JSON_TYPE,
    OUTPUT,
    OUTPUT_TYPE,
    TEXT_TYPE,
    EventName,
    SpanName,
)

SHOWN_CHARS = 8_000
"""So much of a text is exported."""

MARGIN_CHARS = 4_000
"""So much more of it is looked at: a secret that begins before the cut is seen whole."""

Value = str | bool | int | float | tuple[str, ...]
"""What an attribute may be."""


class OpenSpan:
    """A span that has begun. Ended twice, the first end counts."""

    def as_current(self) -> AbstractContextManager[None]:
        """Have what is done within be a part of it: its own spans, and whatever else is traced."""
        return nullcontext()

    def traceparent(self) -> str | None:
        """Return what tells another process that it does a part of it, as W3C has it."""
        return None

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Say more about it."""

    def event(self, name: EventName, attributes: Mapping[str, Value]) -> None:
        """Tell of something that happened in the middle of it."""

    def end(self, attributes: Mapping[str, Value] | None = None, *, error: str = "") -> None:
        """End it: well, or with what went wrong."""


class SegmentTrace:
    """The trace of a segment."""

    is_on = False
    """Whether anybody sees it; what is costly to find out is found out only then."""

    def as_current(self) -> AbstractContextManager[None]:
        """Have what is done within be a part of the segment."""
        return nullcontext()

    def begin(
        self,
        name: SpanName,
        attributes: Mapping[str, Value],
        *,
        step_id: str | None,
        began_at: datetime | None = None,
    ) -> OpenSpan:
        """Begin a span in the tool call, the step or the segment that this is called in.

        It has begun now, or at `began_at`.
        """
        del name, attributes, step_id, began_at
        return OpenSpan()

    def mask_calls(self, value: object) -> object:
        """Return a value as plain data, without what is sensitive in the calls that it asks for."""
        return value

    def mask_arguments(self, tool: str, arguments: object) -> object:
        """Return the arguments of a call as plain data, without what is sensitive."""
        del tool
        return arguments

    def set_tokens_left(self, count: int | None) -> None:
        """Take note of what is left of the run's budget."""

    def count_attempt(self, step_id: str) -> None:
        """Take note of an attempt of a step that begins: the first, or another."""

    def record_step(self, step: Step, result: object) -> None:
        """Write down a step that has ended, and what it wrote."""

    def record_history(
        self, events: Sequence[AuditEvent], gates: Sequence[Gate], steps: Sequence[Step]
    ) -> None:
        """Write down what was before: who called, waiting at gates, what a lost worker left.

        `events`, `gates` and `steps` are all of the run.
        """

    def record_result(self, values: object) -> None:
        """Take note of what the run came to."""

    def record_gates(self, gates: Mapping[GateId, GateKind]) -> None:
        """Take note of the gates at which the segment ends."""

    def end(self, run: Run, running: Sequence[Step]) -> None:
        """End the segment with `run` as it was left, and the steps that have not ended by then."""


class Tracing:
    """What begins the traces of a process."""

    def segment(
        self,
        run: Run,
        clock: Clock,
        *,
        content: TraceContent,
        sensitive: Mapping[str, Collection[str]],
        timeouts_s: Mapping[str, float],
    ) -> SegmentTrace:
        """Begin the trace of a segment of `run`, as it was claimed.

        `sensitive` has the dotted fields, by their tools, that nobody is to be shown, and
        `timeouts_s` how long an attempt of a node may take, by the node's path.
        """
        del run, clock, content, sensitive, timeouts_s
        return SegmentTrace()

    def close(self) -> None:
        """Send what has ended, and trace nothing more."""


def span_text(plain: object) -> str:
    """Return plain data as a text that may be put on a span; what is too long is cut later."""
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, default=str)
    return text[: SHOWN_CHARS + MARGIN_CHARS]


def input_attributes(plain: object) -> dict[str, Value]:
    """Return the attributes that show what was given."""
    return {INPUT: span_text(plain), INPUT_TYPE: _type_of(plain)}


def output_attributes(plain: object) -> dict[str, Value]:
    """Return the attributes that show what came of it."""
    return {OUTPUT: span_text(plain), OUTPUT_TYPE: _type_of(plain)}


def truncate(text: str) -> str:
    """Return what is exported of a text."""
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… (cut)"


def _type_of(plain: object) -> str:
    return TEXT_TYPE if isinstance(plain, str) else JSON_TYPE
