"""What the runs of a tenant have used, day by day, and what they may use today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import budgets, runs, spending
from penstock.contracts.budget import AccountStatement, Amounts, Unit, day_account
from penstock.contracts.policy import Spend
from penstock.contracts.spend import (
    CappedRun,
    CostlyRun,
    DailySpend,
    Measure,
    OpenHold,
    SpendFilter,
    read_measure,
)
from penstock.ui import measures, navigation, session, text, theme
from penstock.ui.components import charts
from penstock.ui.components.filters import Filters
from penstock.ui.components.markdown import escaped, short, short_id
from penstock.ui.components.table import open_row, show_figures
from penstock.ui.measures import as_csv, first_day, measures_of, total

LOOK_S = 15.0
ROWS = 10
"""At most so many of the dearest runs are shown, and of those that hit a cap."""
HELD_ROWS = 50

_FILTERS = Filters(page="spend", names=("days", "measure", "graph"))
_SPANS = (7, 30, 90)
_TOKENS = Measure(unit=Unit.TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    used: Sequence[DailySpend]
    """In all measures."""
    measure: Measure
    """The measure that is shown."""
    dearest: Sequence[CostlyRun]
    capped: Sequence[CappedRun]
    reserved: Sequence[OpenHold]
    graphs: Sequence[str]
    today: AccountStatement | None
    """The budget of the tenant's day."""


def show() -> None:
    """Show what was used, and what is reserved now."""
    st.title("Spend", anchor=False)
    st.caption(
        "Days are of UTC. A call counts on the day on which it was over, and time at work on the"
        " day on which a worker let go of the run. What a child run has used counts for the child."
    )
    _spend()


@st.fragment(run_every=LOOK_S)
def _spend() -> None:
    wanted, days, asked = _asked()
    found = session.read(lambda connection: _find(connection, wanted, asked))
    measure = found.measure
    _today(found.today)
    _filters(found, days, measure, wanted)
    if found.used:
        _sums(found)
        _picture([each for each in found.used if each.measure == measure], measure, wanted)
        _take_out(found.used, days)
    else:
        _empty(is_filtered=wanted.graph is not None)
    left, right = st.columns(2, gap="large")
    with left:
        _dearest(found.dearest, measure)
    with right:
        _capped(found.capped)
    _reserved(found.reserved)


def _asked() -> tuple[SpendFilter, int, Measure | None]:
    """Return the filter, the span in days and the measure that the URL asks for."""
    asked = navigation.parameter("days") or ""
    days = int(asked) if asked in {str(span) for span in _SPANS} else 30
    wanted = SpendFilter(
        tenant=session.tenant(), since=first_day(days), graph=navigation.parameter("graph")
    )
    return wanted, days, read_measure(navigation.parameter("measure") or "")


def _find(connection: Connection, wanted: SpendFilter, asked: Measure | None) -> _Found:
    today = day_account(wanted.tenant, session.now().date().isoformat())
    used = spending.by_day(connection, wanted)
    measure = asked or next(iter(measures_of(used)), _TOKENS)
    return _Found(
        used=used,
        measure=measure,
        dearest=spending.dearest(connection, wanted, measure, limit=ROWS),
        capped=spending.capped(connection, wanted, limit=ROWS),
        reserved=spending.reserved(connection, tenant=wanted.tenant, limit=HELD_ROWS + 1),
        graphs=runs.graphs(connection, tenant=wanted.tenant),
        today=budgets.statement(connection, today),
    )


def _today(today: AccountStatement | None) -> None:
    with st.container(border=True):
        st.markdown(f"**What tenant {escaped(session.tenant())} may use today**")
        if today is None:
            st.caption(
                "No run has used a budget of the day today. `PENSTOCK_DAY_BUDGET` gives workers"
                " one, such as `tokens=5000000, money=20 USD`; then its use stands here as bars."
            )
        else:
            charts.budget_bars(today)


def _filters(found: _Found, days: int, measure: Measure, wanted: SpendFilter) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Span",
            _SPANS,
            default=days,
            required=True,
            format_func=lambda span: f"{span} days",
            key=_FILTERS.key("days"),
            label_visibility="collapsed",
            on_change=_FILTERS.apply,
            args=("days",),
        )
        _FILTERS.pick(
            "measure",
            "Measure",
            [*dict.fromkeys([*measures_of(found.used), _TOKENS])],
            chosen=measure,
            width=240,
            format_func=measures.measure_name,
        )
        _FILTERS.pick(
            "graph", "Graph", found.graphs, chosen=wanted.graph, empty="All graphs", width=220
        )


def _sums(found: _Found) -> None:
    sums = total(found.used)
    with st.container(horizontal=True, gap="large"):
        for measure in measures_of(found.used):
            st.metric(
                measures.measure_name(measure),
                measures.amount_text(measure, sums[measure]),
                width="content",
            )


def _picture(used: Sequence[DailySpend], measure: Measure, wanted: SpendFilter) -> None:
    st.header(f"By day: {measures.measure_name(measure)}", anchor=False)
    if not used:
        st.caption("Nothing was used in this measure; the sums above say in which something was.")
        return
    until = max(session.now().date(), *(each.day for each in used))
    charts.draw_vega(
        charts.usage_chart(used, measure, since=wanted.since, until=until, is_dark=theme.is_dark()),
        key="spend-picture",
    )
    show_figures(_table(used, measure), key="spend-table", row_count=12)


def _table(used: Sequence[DailySpend], measure: Measure) -> Mapping[str, Sequence[str]]:
    """Return the numbers of the chart: a row for each day on which something was used."""
    graphs = sorted({each.graph for each in used})
    by_day: dict[date, dict[str, int]] = {}
    for each in used:
        by_day.setdefault(each.day, {})[each.graph] = each.amount
    days = sorted(by_day, reverse=True)

    def spelled(amount: int | None) -> str:
        return "" if amount is None else measures.amount_text(measure, amount)

    columns = {"Day (UTC)": ["In all", *(day.isoformat() for day in days)]}
    in_all = [sum(by_day[day].values()) for day in days]
    columns["All graphs"] = [spelled(amount) for amount in [sum(in_all), *in_all]]
    for graph in graphs:
        amounts = [by_day[day].get(graph) for day in days]
        whole = sum(amount or 0 for amount in amounts)
        columns[f"{graph} "] = [spelled(amount) for amount in [whole, *amounts]]
    return columns


def _take_out(used: Sequence[DailySpend], days: int) -> None:
    st.download_button(
        "Take out as CSV",
        as_csv(used),
        file_name=f"spend-{session.tenant()}-{session.now():%Y-%m-%d}-{days}-days.csv",
        mime="text/csv",
        icon=":material/download:",
        key="spend-csv",
        help="All measures, by day and graph, in whole numbers",
        on_click="ignore",
    )


def _empty(*, is_filtered: bool) -> None:
    with st.container(border=True):
        if is_filtered:
            st.markdown("**This graph has used nothing in this span.** Take the filter away.")
            return
        st.markdown(
            "**Nothing was used in this span.** What models read and write, what they and tools"
            " cost, what tools spend, their calls and the time at work appear here, day by day."
        )
        navigation.link("graphs", "Start a run", icon=":material/rocket_launch:")


def _dearest(found: Sequence[CostlyRun], measure: Measure) -> None:
    st.header("The dearest runs", anchor=False)
    if not found:
        st.caption(f"No run has used any of this: {measures.measure_name(measure).lower()}.")
        return
    row = open_row(
        {
            "Run": [short_id(each.run_id) for each in found],
            "Graph": [each.graph for each in found],
            "For": [each.principal for each in found],
            measures.measure_name(measure): [
                measures.amount_text(measure, each.amount) for each in found
            ],
        },
        key="spend-dearest",
    )
    if row is not None:
        navigation.go("run", run=found[row].run_id)
    st.caption("Tick a run to open it.")


def _capped(found: Sequence[CappedRun]) -> None:
    st.header("Runs that came to a cap", anchor=False)
    if not found:
        st.caption(
            "None in this span. A run whose budget is used up appears here, with the gate that asks"
            " for more, or as ended."
        )
        return
    row = open_row(
        {
            "When": [f"{each.at:%m-%d %H:%M}" for each in found],
            "Run": [short_id(each.run_id) for each in found],
            "Graph": [each.graph for each in found],
            "What came of it": [_outcome(each) for each in found],
        },
        key="spend-capped",
    )
    if row is not None:
        gate_id = found[row].gate_id
        if gate_id is None:
            navigation.go("run", run=found[row].run_id)
        navigation.go("gate", gate=gate_id)
    st.caption("Tick one to open its gate, or the run where nobody was asked.")


def _outcome(capped: CappedRun) -> str:
    if capped.gate_id is None:
        return short(f"ended: {capped.explanation}", 100)
    cap = (
        ""
        if capped.unit is None
        else f" about {measures.measure_name(Measure(unit=capped.unit)).lower()}"
    )
    return f"gate{cap}: {capped.explanation}"


def _reserved(found: Sequence[OpenHold]) -> None:
    st.header("Reserved now", anchor=False)
    if not found:
        st.caption(
            "Nothing. What a call may use at most is held while it is made, or in doubt, and"
            " appears here."
        )
        return
    shown, now = found[:HELD_ROWS], session.now()
    row = open_row(
        {
            "Call": [f"{each.hold.kind} {each.hold.name}" for each in shown],
            "Run": [short_id(each.hold.run_id) for each in shown],
            "Graph": [each.graph for each in shown],
            "Since": [f"{text.age(max((now - each.at).total_seconds(), 1))} ago" for each in shown],
            "At most": [_at_most(each.hold.worst) for each in shown],
        },
        key="spend-reserved",
    )
    if row is not None:
        navigation.go("run", run=shown[row].hold.run_id)
    more = f" There are more than these {HELD_ROWS}." if len(found) > HELD_ROWS else ""
    st.caption(f"Tick a call to open its run; those held longest come first.{more}")


def _at_most(worst: Amounts) -> str:
    parts: list[str] = []
    if worst.tokens:
        parts.append(f"{worst.tokens:,} tokens")
    if worst.money is not None:
        money = Measure(unit=Unit.MONEY, currency=worst.money.currency)
        parts.append(measures.amount_text(money, worst.money.micros))
    if worst.tool_spend is not None:
        parts.append(f"{_spelled(worst.tool_spend)} by the tool")
    if worst.tool_calls:
        parts.append(f"{worst.tool_calls} call")
    return ", ".join(parts)


def _spelled(spend: Spend) -> str:
    measure = Measure(unit=Unit.TOOL_SPEND, currency=spend.currency)
    return measures.amount_text(measure, spend.minor)
