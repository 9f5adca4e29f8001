"""A number that was measured several times: its median, and how far apart its values lay."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, the least and the greatest."""

    median: float
    least: float
    greatest: float

    def text(self, form: str = ",.0f") -> str:
        """Return it in words: the median, then the range if there is one."""
        middle, low, high = (
            format(value, form) for value in (self.median, self.least, self.greatest)
        )
        return middle if low == high else f"{middle} ({low}–{high})"  # noqa: RUF001  (a range)


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Return the spread of quotients, each of two values taken in the same round."""
    return spread([upper / lower for upper, lower in zip(above, below, strict=True)])


def difference(from_: Sequence[float], what: Sequence[float]) -> Spread:
    """Return the spread of differences, each of two values taken in the same round."""
    return spread([whole - part for whole, part in zip(from_, what, strict=True)])


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which `percent` of at least two `values` lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
