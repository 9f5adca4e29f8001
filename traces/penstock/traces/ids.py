"""Ids of traces and spans, known before anything is written; and what refers to a trace by its id.

A trace has the 128 bits of its run's id. The spans of a segment, a step and a gate have ids that
follow from theirs: a page can link to a span without a table of them, a child can name its parent
before that is written, and what is written twice after a crash is one span.

Lines of a log carry the id of their trace, and the caller of a run is known by its `traceparent`.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

from penstock.contracts.audit import AuditEvent
from penstock.contracts.ids import GateId, RunId
from penstock.traces.names import RUN_ID

CALLER = "caller"
"""Under which the event `run.queued` has the caller's `traceparent`."""

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

TRACE_ID = "trace_id"

_run: ContextVar[RunId | None] = ContextVar("run", default=None)


def trace_id(run_id: RunId) -> int:
    """Return the id of a run's trace."""
    return int(run_id.replace("-", ""), 16)


def segment_span_id(run_id: RunId, epoch: int) -> int:
    """Return the id of the span `agent.run` of one segment: a trace has one for each."""
    return _span_id("segment", run_id, str(epoch))


def step_span_id(run_id: RunId, epoch: int, task_id: str) -> int:
    """Return the id of the span `agent.step` of one execution of a node."""
    return _span_id("step", run_id, str(epoch), task_id)


def gate_span_id(gate_id: GateId) -> int:
    """Return the id of the span `approval.wait` of a gate; it is written when its run goes on."""
    return _span_id("gate", gate_id)


def trace_hex(run_id: RunId) -> str:
    """Return a trace's id as it stands in links and in a `traceparent`."""
    return f"{trace_id(run_id):032x}"


def span_hex(span_id: int) -> str:
    """Return a span's id as it stands in links and annotations."""
    return f"{span_id:016x}"


def is_traceparent(text: str) -> bool:
    """Tell whether a text is a `traceparent` of W3C's trace context."""
    return _TRACEPARENT.fullmatch(text) is not None


def parse_traceparent(traceparent: str) -> tuple[int, int]:
    """Return the ids of the trace and the span that a `traceparent` names."""
    _, trace, span, _ = traceparent.split("-")
    return int(trace, 16), int(span, 16)


def caller_of(events: Sequence[AuditEvent]) -> str | None:
    """Return the `traceparent` of whoever started a run, if they gave one."""
    found = next((each.detail.get(CALLER) for each in events if CALLER in each.detail), None)
    return found if isinstance(found, str) and is_traceparent(found) else None


def bind_run(run_id: RunId) -> None:
    """Have what is logged in this task, and in those that it starts, be of a run."""
    _run.set(run_id)


def log_labels() -> Mapping[str, str]:
    """Return what tells of which run it is, and of which trace; nothing outside of one."""
    run_id = _run.get()
    return {} if run_id is None else {RUN_ID: run_id, TRACE_ID: trace_hex(run_id)}


def _span_id(*parts: str) -> int:
    digest = hashlib.blake2b("|".join(parts).encode(), digest_size=8).digest()
    # Zero is no id.
    return int.from_bytes(digest, "big") or 1
