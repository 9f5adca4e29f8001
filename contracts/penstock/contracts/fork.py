"""What a fork of a run would come to, told before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from penstock.contracts.effect import Effect


class Fate(StrEnum):
    """What becomes, in a fork, of a call that the run has made."""

    KEPT = "kept"
    """It lies before the place of the fork: its result is in the state, and it is not made."""
    REPLAYED = "replayed"
    """It comes again as the same call, and what was recorded of it is its result."""
    ASKED = "asked"
    """Should it come again with the same arguments, people are asked first."""
    AGAIN = "anew"
    """Should it come again, it is made as any call: it reads, or it had not happened."""
    SIMULATED = "simulated"
    """Should it come again, it is refused, because the fork only simulates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastCall:
    """A call that the run has made, and what becomes of it."""

    effect: Effect
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a fork at a checkpoint would come to."""

    nodes: Sequence[str]
    """Those that run first."""
    calls: Sequence[ForecastCall]
    """In the order in which they began."""
