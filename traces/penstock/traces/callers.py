"""Who started a run, as W3C's trace context says it."""

import re
from collections.abc import Sequence

from penstock.contracts.audit import AuditEvent

CALLER = "caller"
"""Under which the event `run.queued` has the caller's `traceparent`."""

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(text: str) -> bool:
    """Tell whether a text is a `traceparent` of W3C's trace context."""
    return _FORM.fullmatch(text) is not None


def ids_of(traceparent: str) -> tuple[int, int]:
    """Return the ids of the trace and the span that a `traceparent` names."""
    _, trace, span, _ = traceparent.split("-")
    return int(trace, 16), int(span, 16)


def caller_of(events: Sequence[AuditEvent]) -> str | None:
    """Return the `traceparent` of whoever started a run, if they gave one."""
    found = next((each.detail.get(CALLER) for each in events if CALLER in each.detail), None)
    return found if isinstance(found, str) and is_traceparent(found) else None
