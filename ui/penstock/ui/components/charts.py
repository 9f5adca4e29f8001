"""Spend in pictures: what a budget has left, as bars, and what runs have used, by day and graph."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, cast

import streamlit as st

from penstock.contracts.budget import MICROS, AccountStatement, Balance, Money, Unit
from penstock.contracts.spend import DailySpend, Measure
from penstock.policies.facts.money import PLACES, USUAL_PLACES
from penstock.ui import measures

OTHERS = "others"
"""The name for all graphs that have no colour of their own."""
# Told apart by people who see colours otherwise, too.
_COLOURS = {
    False: ("#2f7fd6", "#d9822b", "#2f9e62", "#8a63d2", "#c2417c", "#0f8b8d", "#a67c00"),
    True: ("#6aaef5", "#f79d4d", "#4bc282", "#b49af0", "#f084b4", "#4fc3c5", "#e0b93f"),
}
_GREY = {False: "#8b97a2", True: "#7d8994"}
_INK = {False: "#46525d", True: "#b8c4cd"}
_GRID = {False: "#e3e8ec", True: "#2b3640"}
_HOUR_MS = 3_600_000
_vega = cast("Any", st.vega_lite_chart)  # pyright: ignore[reportUnknownMemberType]


def budget_bars(statement: AccountStatement) -> None:
    """Show a bar for each capped unit: its cap, what is spent and what is held."""
    capped = [each for each in statement.balances if each.cap is not None]
    used = [each for each in statement.balances if each.cap is None and each.spent]
    if not capped and not used:
        return
    columns = st.columns(max(len(capped) + len(used), 3))
    for column, each in zip(columns, [*capped, *used], strict=False):
        with column:
            held = f", {amount(each, each.held)} held" if each.held else ""
            name = measures.measure_name(Measure(unit=each.unit))
            if each.cap is None:
                st.caption(f"**{name}**: {amount(each, each.spent)}{held}, no cap")
                continue
            taken = (each.spent + each.held) / max(each.cap, 1)
            st.progress(min(max(taken, 0.0), 1.0), text=f"{name}")
            st.caption(f"{amount(each, each.spent)} of {amount(each, each.cap)}{held}")


def amount(standing: Balance, number: int) -> str:
    """Return an amount of a unit as people write it."""
    return measures.amount_text(Measure(unit=standing.unit, currency=standing.currency), number)


def money(amount: Money) -> str:
    """Return money as people write it."""
    return measures.amount_text(Measure(unit=Unit.MONEY, currency=amount.currency), amount.micros)


def days_between(since: date, until: date) -> Sequence[date]:
    """Return the days from one to another, both included."""
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def graphs_with_colours(found: Sequence[DailySpend]) -> Sequence[str]:
    """Return the graphs that get colours of their own: those that have used most."""
    sums: dict[str, int] = {}
    for each in found:
        sums[each.graph] = sums.get(each.graph, 0) + each.amount
    dearest = sorted(sums, key=lambda graph: (-sums[graph], graph))
    return dearest[: len(_COLOURS[False])]


def usage_chart(
    found: Sequence[DailySpend], measure: Measure, *, since: date, until: date, is_dark: bool
) -> Mapping[str, Any]:
    """Return a Vega-Lite chart of what was used in one measure, with its data."""
    named = graphs_with_colours(found)
    domain = [*named, OTHERS] if len({each.graph for each in found}) > len(named) else [*named]
    range_ = [*_COLOURS[is_dark][: len(named)], _GREY[is_dark]][: len(domain)]
    days = days_between(since, until)
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


def draw_vega(spec: Mapping[str, Any], *, key: str) -> None:
    """Draw a Vega-Lite chart, which holds its data."""
    _vega(None, dict(spec), width="stretch", key=key)


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
    """Return the expression that writes a label of the axis: only there an amount is divided."""
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
