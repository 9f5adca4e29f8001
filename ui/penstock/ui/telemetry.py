"""What a command that drives runs tells the outside: traces, how the store stands, and its log."""

import contextlib
import json
import logging
from collections.abc import Generator

from pydantic import ValidationError

from penstock.checkpoints import gauges
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import InvalidSettings
from penstock.contracts.gauges import Gauges
from penstock.nodes.tools.request import current_task_id
from penstock.runs.settings import Otlp, Settings
from penstock.traces import Tracing
from penstock.traces.ids import log_labels
from penstock.traces.names import STEP_ID
from penstock.ui.project import Project


@contextlib.contextmanager
def open_tracing(settings: Settings) -> Generator[Tracing]:
    """Export traces to where the standard variables say, if they say anything.

    Raises:
        InvalidSettings: one of them cannot be used.
    """
    protocol = _otlp().traces()
    if protocol is None:
        yield Tracing()
        return
    # It takes half a second, and most who call this export nothing.
    from penstock.traces.pipeline import Pipeline  # noqa: PLC0415

    tracing = Pipeline.by_otlp(protocol, gen_ai=settings.trace_gen_ai)
    try:
        yield tracing
    finally:
        tracing.close()


@contextlib.contextmanager
def open_metrics(project: Project) -> Generator[None]:
    """Export how the store stands to where the standard variables say, if they ask for it.

    Raises:
        InvalidSettings: one of them cannot be used.
    """
    protocol = _otlp().metrics()
    if protocol is None:
        yield
        return
    from penstock.traces.metrics import Metrics  # noqa: PLC0415  (likewise)

    clock = SystemClock()

    def look() -> Gauges:
        now = clock.now()
        return project.store.read_blocking(lambda connection: gauges.measure(connection, now=now))

    metrics = Metrics.by_otlp(protocol, look)
    try:
        yield
    finally:
        metrics.close()


@contextlib.contextmanager
def log_to_stderr(*, as_json: bool) -> Generator[None]:
    """Have what Penstock logs printed to standard error, a line an event."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LogLines(as_json=as_json))
    root = logging.getLogger("penstock")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _otlp() -> Otlp:
    try:
        return Otlp()
    except ValidationError as error:
        named = ", ".join(f"`OTEL_{str(each['loc'][0]).upper()}`" for each in error.errors())
        raise InvalidSettings(f"{named} cannot be used; `docs/traces.md` has the values") from error


class _LogLines(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        if not self._as_json:
            return super().format(record)
        fields = {"at": self.formatTime(record), "level": record.levelname, **log_labels()}
        if (step_id := current_task_id()) is not None:
            fields[STEP_ID] = step_id
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return json.dumps(fields | {"message": text})
