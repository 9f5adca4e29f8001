"""Instants, lengths of time and long texts as people read them, and reasons in words."""

from collections.abc import Mapping
from datetime import datetime

from penstock.contracts.bulk import Exclusion

_SHORT = 80

EXCLUSIONS: Mapping[Exclusion, str] = {
    Exclusion.OVER: "over already",
    Exclusion.STOPPING: "to be cancelled already",
    Exclusion.NOT_FAILED: "not failed",
    Exclusion.FOR_GOOD: "failed for good, so that a redrive cannot help",
    Exclusion.IN_DOUBT: "with a call in doubt; decide its gate, or redrive the run alone",
    Exclusion.NOT_YOURS: "not yours to steer",
}
"""What a run is that is left out where many are acted on."""


def instant(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")


def age(seconds: float) -> str:
    """Return a length of time in its two largest units, a short one in milliseconds."""
    if 0 <= seconds < 1:
        return f"{seconds * 1e3:.0f}ms"
    whole = max(int(seconds), 0)
    for size, large, unit, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if whole >= size:
            return f"{whole // size}{large} {whole % size // unit}{small}"
    return f"{whole // 60}m {whole % 60}s" if whole >= 60 else f"{whole}s"


def short(text: str) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"
