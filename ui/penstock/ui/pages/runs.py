"""The runs of a tenant: their list, what each waits for, and actions on many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import runs
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import ListedRun, RunFilter
from penstock.contracts.run import LIVE, Run, RunMode, RunStatus
from penstock.ui import navigation, session, text
from penstock.ui.components import gate_card, table
from penstock.ui.components.badges import RUN_STATES
from penstock.ui.components.charts import money
from penstock.ui.components.markdown import short, short_id
from penstock.ui.forms import bulk_actions, run_filter

PAGE = 50
LOOK_S = 4.0
TAG_ROWS = 200
"""At most so many tags are offered; others can be typed."""

_TABLE, _SHOWN = "runs-table", "runs-shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The list as it was shown, and the URL that it was shown for."""

    place: Mapping[str, str]
    at: datetime
    listed: Sequence[ListedRun]
    counts: Mapping[RunStatus, int]
    graphs: Sequence[str]
    tags: Sequence[str]


def show() -> None:
    """Show a page of runs, or the review of an action on many."""
    st.title("Runs", anchor=False)
    if bulk_actions.is_under_way():
        bulk_actions.review()
        return
    _list()


@st.fragment(run_every=LOOK_S)
def _list() -> None:
    before = navigation.parameter("before")
    wanted = run_filter.from_url()
    found = _look(wanted, None if before is None else RunId(before))
    run_filter.show(wanted, counts=found.counts, graphs=found.graphs, tags=found.tags)
    listed = found.listed[:PAGE]
    is_filtered = wanted != RunFilter(tenant=wanted.tenant)
    if not listed:
        _empty(is_filtered=is_filtered or before is not None)
        return
    can_pick = bulk_actions.is_possible()
    if can_pick:
        bulk_actions.offer(wanted, _picked(listed), is_filtered=is_filtered)
    table.show_pickable(
        _columns(listed, found.at),
        key=_TABLE,
        opens="Run",
        can_pick=can_pick,
        config=_CONFIG,
    )
    st.caption("Click the id of a run to open it.")
    navigation.pager_by_position(
        is_newest=before is None,
        older=listed[-1].run.id if len(found.listed) > PAGE else None,
    )


def _look(wanted: RunFilter, before: RunId | None) -> _Found:
    """Return the list to show. It stays while rows are ticked: a tick is on a row, not on a run."""
    shown: _Found | None = st.session_state.get(_SHOWN)
    if shown is not None and (row := table.opened_row(_TABLE)) is not None and row < PAGE:
        navigation.go("run", run=shown.listed[row].run.id)
    place = dict(st.query_params.to_dict())
    if shown is not None and shown.place == place and table.ticked_rows(_TABLE):
        return shown
    found = session.read(lambda connection: _find(connection, place, wanted, before))
    st.session_state[_SHOWN] = found
    return found


def _find(
    connection: Connection, place: Mapping[str, str], wanted: RunFilter, before: RunId | None
) -> _Found:
    return _Found(
        place=place,
        at=session.now(),
        listed=runs.page(connection, wanted, before=before, limit=PAGE + 1),
        counts=runs.counts(connection, replace(wanted, statuses=())),
        graphs=runs.graphs(connection, tenant=wanted.tenant),
        tags=runs.tags(connection, tenant=wanted.tenant, limit=TAG_ROWS),
    )


def _picked(listed: Sequence[ListedRun]) -> Sequence[RunId]:
    return [listed[row].run.id for row in table.ticked_rows(_TABLE) if row < len(listed)]


def _columns(listed: Sequence[ListedRun], now: datetime) -> Mapping[str, Sequence[Any]]:
    columns = {
        "State": [RUN_STATES[each.run.status].text(each.run) for each in listed],
        "Run": [short_id(each.run.id) for each in listed],
        "Graph": [each.run.graph for each in listed],
        "For": [each.run.principal for each in listed],
        "What is up": [_what_is_up(each) for each in listed],
        "Tags": [list(each.run.tags) for each in listed],
        "Used": [_used(each) for each in listed],
        "Created": [
            text.age(max((now - each.run.created_at).total_seconds(), 1)) + " ago"
            for each in listed
        ],
        "Took": [_took(each.run) for each in listed],
    }
    # What no run of the page has is not worth a column.
    return {
        name: cells for name, cells in columns.items() if name not in {"Tags", "Used"} or any(cells)
    }


def _what_is_up(listed: ListedRun) -> str:
    run = listed.run
    if run.failure is not None:
        return f"{run.failure.code}: {short(run.failure.message, 90)}"
    if run.status in LIVE and run.pause_by is not None:
        return f"paused by {run.pause_by}"
    if run.cancel_by is not None:
        return f"cancelled by {run.cancel_by}"
    if listed.open_gates:
        first = _waits(listed.open_gates[0])
        more = len(listed.open_gates) - 1
        return f"{first} and {more} more" if more else first
    return "simulated" if run.mode is RunMode.SIMULATE else ""


def _waits(gate: Gate) -> str:
    match gate.kind:
        case GateKind.APPROVAL:
            groups = ", ".join(gate.approvals or ())
            return f"waits for {groups}: {gate_card.question(gate)['may_it_happen']}"
        case GateKind.IN_DOUBT:
            return f"in doubt: {gate_card.question(gate)['did_it_happen']}"
        case GateKind.BUDGET:
            return "waits for more budget"
        case GateKind.QUESTION:
            return "waits for an answer"


def _used(listed: ListedRun) -> str:
    parts = [f"{listed.tokens:,} tokens"] if listed.tokens else []
    return " · ".join([*parts, *([money(listed.money)] if listed.money else [])])


def _took(run: Run) -> str:
    if run.ended_at is None:
        return ""
    return text.age((run.ended_at - run.created_at).total_seconds())


def _empty(*, is_filtered: bool) -> None:
    with st.container(border=True):
        if is_filtered:
            st.markdown("**No run fits.** Take some of the filter away.")
            if st.button("Show all", icon=":material/filter_alt_off:"):
                run_filter.FILTERS.clear()
                st.rerun()
            return
        st.markdown(
            "**There is no run yet.** Every run appears here with its state, what it waits for,"
            " and how it ended."
        )
        st.markdown("Start one:")
        navigation.link("graphs", "Choose a graph", icon=":material/rocket_launch:")
        st.code('penstock run hello \'{"name": "Ada"}\'', language=None)


_CONFIG: Mapping[str, Any] = {
    "State": st.column_config.TextColumn(width="small"),
    "What is up": st.column_config.TextColumn(width=250),
    "Tags": st.column_config.ListColumn(width=150),
    "Used": st.column_config.TextColumn(width=175, help="With the runs that it has started"),
    "Created": st.column_config.TextColumn(width="small"),
    "Took": st.column_config.TextColumn(width="small"),
}
