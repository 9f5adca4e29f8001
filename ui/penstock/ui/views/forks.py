"""Views of forks: the checkpoints at which a run can be forked, and what becomes of its calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.contracts.fork import Forecast
from penstock.contracts.run import Run
from penstock.ui.views.runs import RunView, run_view


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPointView:
    """A checkpoint at which a run can be forked."""

    id: str
    number: int
    after: str
    """The nodes that came before it, or what made it."""
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPointList:
    """The checkpoints of a run, the newest first."""

    run: str
    checkpoints: Sequence[ForkPointView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastCallView:
    """What becomes of a call in a fork."""

    key: str
    tool: str
    fate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkDocument:
    """A fork, or what it would come to."""

    run: RunView | None
    """None where nothing was started."""
    first: Sequence[str]
    """The nodes that come first."""
    calls: Sequence[ForecastCallView]


def fork_document(forecast: Forecast, run: Run | None) -> ForkDocument:
    """Return a fork and its forecast."""
    return ForkDocument(
        run=None if run is None else run_view(run),
        first=forecast.nodes,
        calls=[
            ForecastCallView(key=each.effect.key, tool=each.effect.tool, fate=each.fate)
            for each in forecast.calls
        ],
    )
