"""What is exported while a command drives runs: traces, and how the store stands."""

import contextlib
from collections.abc import Generator

from pydantic import ValidationError

from penstock.checkpoints import gauges
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import InvalidSettings
from penstock.contracts.gauges import Gauges
from penstock.runs.settings import Otlp, Settings
from penstock.traces import Tracing
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
def open_metrics(desk: Project) -> Generator[None]:
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
        return desk.store.read_blocking(lambda connection: gauges.measure(connection, now=now))

    metrics = Metrics.by_otlp(protocol, look)
    try:
        yield
    finally:
        metrics.close()


def _otlp() -> Otlp:
    try:
        return Otlp()
    except ValidationError as error:
        named = ", ".join(f"`OTEL_{str(each['loc'][0]).upper()}`" for each in error.errors())
        raise InvalidSettings(f"{named} cannot be used; `docs/traces.md` has the values") from error
