"""What a candidate policy would change: recorded calls counted by verdict before and after."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.contracts.policy import Verdict
from penstock.runs.policies import Redecision
from penstock.ui.theme import MUTED

SAME, STRICTER, LOOSER = "the same", "stricter", "looser"
VERDICT_NAMES: Mapping[Verdict, str] = {
    Verdict.ALLOW: "allowed",
    Verdict.ASK: "asked about",
    Verdict.DENY: "denied",
}

_ORDER = tuple(Verdict)
_FILL = {
    False: {SAME: "#e9eef1", STRICTER: "#cfe3fa", LOOSER: "#fde0c0"},
    True: {SAME: "#1b2730", STRICTER: "#1d4168", LOOSER: "#63400f"},
}
_NONE = {False: "#f6f8f9", True: "#131d24"}
_INK = {False: "#17212b", True: "#e6edf2"}


def direction(before: Verdict, after: Verdict) -> str:
    """Return whether one verdict after another is stricter, looser or the same."""
    difference = _ORDER.index(after) - _ORDER.index(before)
    return SAME if not difference else STRICTER if difference > 0 else LOOSER


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a candidate would have decided about recorded calls, in numbers."""

    call_count: int
    """Recorded calls, also those that could not be decided again."""
    counts: Mapping[tuple[Verdict, Verdict], int]
    """Calls that were decided again, by the verdict then and the candidate's."""
    others: Mapping[Verdict, int]
    """Calls with the same verdict as before, but with others to be asked."""

    @property
    def decided_count(self) -> int:
        """How many calls were decided again."""
        return sum(self.counts.values())

    @property
    def changed_count(self) -> int:
        """How many calls would have been decided otherwise."""
        same = sum(self.counts.get((each, each), 0) for each in Verdict)
        return self.decided_count - same + sum(self.others.values())

    def count(self, wanted: str) -> int:
        """Return how many calls went in a direction: `STRICTER`, `LOOSER`."""
        return sum(
            number for (was, now), number in self.counts.items() if direction(was, now) == wanted
        )


def tally(found: Sequence[Redecision]) -> Impact:
    """Count calls that were decided again."""
    decided = [each for each in found if not each.why_not]
    return Impact(
        call_count=len(found),
        counts=Counter((each.before.decision.verdict, each.after.verdict) for each in decided),
        others=Counter(each.after.verdict for each in decided if each.is_changed and _stays(each)),
    )


def verdict_matrix(found: Impact, *, is_dark: bool) -> Mapping[str, Any]:
    """Return a Vega-Lite chart with its data: a square for each pair of verdicts."""
    cells = [
        _cell(
            before,
            after,
            found.counts.get((before, after), 0),
            found.others.get(after, 0) if before is after else 0,
        )
        for before in _ORDER
        for after in _ORDER
    ]
    names = [VERDICT_NAMES[verdict] for verdict in _ORDER]
    ink, soft = _INK[is_dark], MUTED["dark" if is_dark else "light"]
    axis = {"labelColor": ink, "titleColor": soft, "labelFontSize": 13, "titleFontSize": 12}
    axis |= {"domain": False, "ticks": False, "labelAngle": 0, "titleFontWeight": "normal"}
    scale = {"paddingInner": 0.06, "paddingOuter": 0}
    x = {"field": "after", "type": "nominal", "sort": names, "scale": scale}
    y = {"field": "before", "type": "nominal", "sort": names, "scale": scale}
    fill = _FILL[is_dark]
    return {
        "data": {"values": cells},
        "height": 330,
        "encoding": {
            "x": {**x, "axis": {**axis, "title": "the candidate says", "orient": "top"}},
            "y": {**y, "axis": {**axis, "title": "what was said"}},
            "tooltip": [{"field": name} for name in ("before", "after", "calls", "that is")],
        },
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 6},
                "encoding": {
                    "color": {
                        "condition": {"test": "datum.calls == 0", "value": _NONE[is_dark]},
                        "field": "that is",
                        "type": "nominal",
                        "scale": {"domain": list(fill), "range": list(fill.values())},
                        "legend": {"title": None, "orient": "bottom", "labelColor": ink},
                    },
                },
            },
            {
                "transform": [{"filter": "datum.calls > 0"}],
                "mark": {"type": "text", "fontSize": 20, "fontWeight": 600, "color": ink},
                "encoding": {"text": {"field": "calls", "format": ",d"}},
            },
            {
                "transform": [{"filter": "datum.more != ''"}],
                "mark": {"type": "text", "dy": 20, "fontSize": 11, "color": soft},
                "encoding": {"text": {"field": "more"}},
            },
        ],
        "config": {"view": {"stroke": None}},
    }


def _cell(before: Verdict, after: Verdict, count: int, others: int) -> dict[str, Any]:
    return {
        "before": VERDICT_NAMES[before],
        "after": VERDICT_NAMES[after],
        "calls": count,
        "that is": direction(before, after),
        "more": f"{others:,} of them by others" if others else "",
    }


def _stays(each: Redecision) -> bool:
    return each.before.decision.verdict is each.after.verdict
