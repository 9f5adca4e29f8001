"""The ids of spans, so that who knows a run knows its trace before anything has been written.

A trace has the 128 bits of its run's id. The spans of a segment, a step and a gate have ids that
follow from theirs: a page can link to a span without a table of them, a child can name its parent
before that is written, and what is written twice after a crash is one span.
"""

import hashlib

from penstock.contracts.ids import GateId, RunId


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


def _span_id(*parts: str) -> int:
    digest = hashlib.blake2b("|".join(parts).encode(), digest_size=8).digest()
    # Zero is no id.
    return int.from_bytes(digest, "big") or 1
