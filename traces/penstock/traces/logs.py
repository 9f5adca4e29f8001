"""Of which run a line of a log speaks."""

from collections.abc import Mapping
from contextvars import ContextVar

from penstock.contracts.ids import RunId
from penstock.traces.ids import trace_hex
from penstock.traces.names import RUN_ID

TRACE_ID = "trace_id"

_run: ContextVar[RunId | None] = ContextVar("run", default=None)


def speak_of(run_id: RunId) -> None:
    """Have what is logged in this task, and in those that it starts, be of a run."""
    _run.set(run_id)


def labels() -> Mapping[str, str]:
    """Return what tells of which run it is, and of which trace; nothing outside of one."""
    run_id = _run.get()
    return {} if run_id is None else {RUN_ID: run_id, TRACE_ID: trace_hex(run_id)}
