"""What runs have used, as a picture: a bar for each day, stacked by graph."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from penstock.contracts.budget import MICROS, Unit
from penstock.contracts.spend import DailySpend, Measure
from penstock.policies.facts.money import PLACES, USUAL_PLACES
from penstock.ui import measures

OTHERS = "others"
"""What graphs are called together for which there is no colour of their own."""

# Told apart by people who see colours otherwise, too.
_COLOURS = {
    False: ("#2f7fd6", "#d9822b", "#2f9e62", "#8a63d2", "#c2417c", "#0f8b8d", "#a67c00"),
    True: ("#6aaef5", "#f79d4d", "#4bc282", "#b49af0", "#f084b4", "#4fc3c5", "#e0b93f"),
}
_GREY = {False: "#8b97a2", True: "#7d8994"}
_INK = {False: "#46525d", True: "#b8c4cd"}
_GRID = {False: "#e3e8ec", True: "#2b3640"}
_HOUR_MS = 3_600_000


def days_of(since: date, until: date) -> Sequence[date]:
    """Return the days from one to another, both of them too."""
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def coloured(found: Sequence[DailySpend]) -> Sequence[str]:
    """Return the graphs that have colours of their own: those that have used most."""
    sums: dict[str, int] = {}
    for each in found:
        sums[each.graph] = sums.get(each.graph, 0) + each.amount
    dearest = sorted(sums, key=lambda graph: (-sums[graph], graph))
    return dearest[: len(_COLOURS[False])]


def picture(
    found: Sequence[DailySpend], measure: Measure, *, since: date, until: date, is_dark: bool
) -> Mapping[str, Any]:
    """Return a picture in Vega-Lite of what was used in one measure; its data are within."""
    named = coloured(found)
    domain = [*named, OTHERS] if len({each.graph for each in found}) > len(named) else [*named]
    range_ = [*_COLOURS[is_dark][: len(named)], _GREY[is_dark]][: len(domain)]
    days = days_of(since, until)
    axis = {
        "labelColor": _INK[is_dark],
        "titleColor": _INK[is_dark],
        "gridColor": _GRID[is_dark],
        "domainColor": _GRID[is_dark],
        "ticks": False,
    }
    every = max(len(days) // 10, 1)
    return {
        "height": 300,
        "data": {"values": _bars(found, measure, named)},
        "mark": {"type": "bar", "cornerRadius": 1},
        "encoding": {
            "x": {
                "field": "day",
                "type": "ordinal",
                "scale": {"domain": [day.isoformat() for day in days], "paddingInner": 0.25},
                "axis": {
                    **axis,
                    "title": None,
                    "labelAngle": 0,
                    "values": [day.isoformat() for day in days[::-1][::every][::-1]],
                    "labelExpr": "slice(datum.value, 5)",
                },
            },
            "y": {
                "field": "amount",
                "type": "quantitative",
                "stack": "zero",
                "axis": {**axis, "title": _scale(measure), "labelExpr": _label(measure)},
            },
            "color": {
                "field": "graph",
                "type": "nominal",
                "scale": {"domain": domain, "range": range_},
                "legend": {"title": None, "orient": "top", "labelColor": _INK[is_dark]},
            },
            "order": {"field": "place", "type": "quantitative"},
            "tooltip": [
                {"field": "day", "title": "day (UTC)"},
                {"field": "name", "title": "graph"},
                {"field": "said", "title": measures.measure_name(measure)},
            ],
        },
    }


def _bars(
    found: Sequence[DailySpend], measure: Measure, named: Sequence[str]
) -> Sequence[Mapping[str, Any]]:
    places = {graph: place for place, graph in enumerate(named)}
    return [
        {
            "day": each.day.isoformat(),
            "graph": each.graph if each.graph in places else OTHERS,
            "name": each.graph,
            "place": places.get(each.graph, len(places)),
            "amount": each.amount,
            "said": measures.amount_text(measure, each.amount),
        }
        for each in found
    ]


def _scale(measure: Measure) -> str:
    return "hours" if measure.unit is Unit.WALL_MS else measure.currency or ""


def _label(measure: Measure) -> str:
    """Return how a place on the axis is written: only there an amount is divided."""
    match measure.unit:
        case Unit.MONEY:
            return f"format(datum.value / {MICROS}, ',.6~f')"
        case Unit.TOOL_SPEND:
            places = PLACES.get(measure.currency or "", USUAL_PLACES)
            return f"format(datum.value / {10**places}, ',.{places}~f')"
        case Unit.WALL_MS:
            return f"format(datum.value / {_HOUR_MS}, ',.4~f')"
        case _:
            return "format(datum.value, '~s')"
