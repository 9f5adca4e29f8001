"""What a run did when, as a picture: steps as bars, and waiting for people as a band.

Steps take milliseconds and people take hours. So time in which nothing ran has a width of its own,
however long it was, and says how long it was; beside it, steps are as long as they took.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from penstock.contracts.gate import Gate
from penstock.contracts.run import Run
from penstock.contracts.step import Step, StepStatus
from penstock.ui.cli import texts
from penstock.ui.components.words import instant

STATES = (StepStatus.SUCCEEDED, StepStatus.STARTED, StepStatus.PARKED, StepStatus.FAILED)
GAP = 0.12
"""How wide time is in which nothing ran, of the time in which something did."""

_SHORTEST = 0.012
"""Of the whole; a shorter step would not be seen."""
_COLOURS = {
    False: ("#2f9e62", "#2f7fd6", "#d9822b", "#d0453a"),
    True: ("#4bc282", "#6aaef5", "#f79d4d", "#f97066"),
}
_BAND = {False: "#f7c98b", True: "#7a5426"}
_INK = {False: "#46525d", True: "#b8c4cd"}


def timeline(
    run: Run, steps: Sequence[Step], gates: Sequence[Gate], *, now: datetime, is_dark: bool
) -> Mapping[str, Any]:
    """Return a picture in Vega-Lite; its data are within."""
    end = run.ended_at or now
    scale = Scale([(step.started_at, step.ended_at or end) for step in steps], until=end)
    bars = [_bar(number, step, end, scale) for number, step in enumerate(steps)]
    bands = [_band(gate, end, scale) for gate in gates]
    x: dict[str, Any] = {
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, scale.width], "nice": False},
    }
    y: dict[str, Any] = {
        "field": "node",
        "type": "nominal",
        "sort": {"field": "order", "op": "min"},
        "axis": {"title": None, "labelLimit": 220, "labelColor": _INK[is_dark], "ticks": False},
    }
    return {
        "height": {"step": 26},
        "layer": [
            {
                "data": {"values": bands},
                "mark": {"type": "rect", "opacity": 0.4, "color": _BAND[is_dark]},
                "encoding": {
                    "x": {"field": "from", **x},
                    "x2": {"field": "to"},
                    "tooltip": [{"field": "what"}, {"field": "since"}, {"field": "for"}],
                },
            },
            {
                "data": {"values": bars},
                "mark": {"type": "bar", "cornerRadius": 3},
                "encoding": {
                    "y": y,
                    "x": {"field": "from", **x},
                    "x2": {"field": "to"},
                    "color": {
                        "field": "state",
                        "type": "nominal",
                        "scale": {
                            "domain": [str(state) for state in STATES],
                            "range": list(_COLOURS[is_dark]),
                        },
                        "legend": {"title": None, "orient": "top", "labelColor": _INK[is_dark]},
                    },
                    "tooltip": [
                        {"field": name} for name in ("node", "state", "began", "took", "claim")
                    ],
                },
            },
            {
                "data": {"values": [{"at": at, "said": said} for at, said in scale.gaps]},
                "mark": {"type": "text", "baseline": "top", "dy": 4, "color": _INK[is_dark]},
                "encoding": {
                    "x": {"field": "at", **x},
                    "y": {"value": "height"},
                    "text": {"field": "said"},
                },
            },
        ],
    }


class Scale:
    """Where an instant is, from 0 to the width of the whole."""

    def __init__(self, spans: Sequence[tuple[datetime, datetime]], *, until: datetime) -> None:
        """Give what happened in `spans` its length, and what lies between a width of its own."""
        busy = _joined(spans)
        total_s = sum((end - begin).total_seconds() for begin, end in busy) or 1.0
        self._knots: list[tuple[datetime, float]] = []
        self.gaps: list[tuple[float, str]] = []
        at = 0.0
        ends = [*busy, (until, until)]
        for (begin, end), (following, _) in pairwise(ends):
            self._knots += [(begin, at), (end, at + (end - begin).total_seconds() / total_s)]
            at += (end - begin).total_seconds() / total_s
            idle_s = (following - end).total_seconds()
            if idle_s > 0:
                width = min(idle_s / total_s, GAP)
                if width == GAP:
                    self.gaps.append((at + width / 2, texts.age(idle_s)))
                at += width
        self._knots.append((max(until, ends[-2][1] if busy else until), at))
        self.width = at or 1.0

    def at(self, instant: datetime) -> float:
        """Return where an instant is."""
        if not self._knots or instant <= self._knots[0][0]:
            return 0.0
        for (begin, low), (end, high) in pairwise(self._knots):
            if instant <= end:
                whole_s = (end - begin).total_seconds() or 1.0
                return low + (high - low) * (instant - begin).total_seconds() / whole_s
        return self.width


def _joined(spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return when anything ran, as spans that do not touch."""
    found: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _bar(number: int, step: Step, end: datetime, scale: Scale) -> dict[str, Any]:
    begin = scale.at(step.started_at)
    took_s = ((step.ended_at or end) - step.started_at).total_seconds()
    return {
        "node": step.node.replace("|", " / "),
        "order": number,
        "from": begin,
        "to": max(scale.at(step.ended_at or end), begin + _SHORTEST * scale.width),
        "state": str(step.status),
        "began": instant(step.started_at),
        "took": texts.age(took_s),
        "claim": step.epoch,
    }


def _band(gate: Gate, end: datetime, scale: Scale) -> dict[str, Any]:
    closed = min(gate.closed_at or end, end)
    return {
        "from": scale.at(gate.opened_at),
        "to": scale.at(closed),
        "what": f"waits at a gate: {gate.kind}",
        "since": instant(gate.opened_at),
        "for": texts.age(max((closed - gate.opened_at).total_seconds(), 0)),
    }
