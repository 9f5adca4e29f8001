"""The runs of a tenant: which there are, what each waits for, and what can be done to many."""

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
from penstock.ui import front, places, text
from penstock.ui.components import asked, table
from penstock.ui.components.bars import money
from penstock.ui.components.states import MARKS
from penstock.ui.components.words import short
from penstock.ui.forms import bulk, run_filter

PAGE = 50
LOOK_S = 4.0
TAG_ROWS = 200
"""So many tags are offered to choose from; others can be typed."""

_TABLE, _SHOWN = "runs-table", "runs-shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was shown, and where."""

    place: Mapping[str, str]
    at: datetime
    listed: Sequence[ListedRun]
    counts: Mapping[RunStatus, int]
    graphs: Sequence[str]
    tags: Sequence[str]


def show() -> None:
    """Show a page of runs, or many that are about to be acted on."""
    st.title("Runs", anchor=False)
    if bulk.is_under_way():
        bulk.review()
        return
    _list()


@st.fragment(run_every=LOOK_S)
def _list() -> None:
    before = places.asked("before")
    wanted = run_filter.asked()
    found = _look(wanted, None if before is None else RunId(before))
    run_filter.show(wanted, counts=found.counts, graphs=found.graphs, tags=found.tags)
    listed = found.listed[:PAGE]
    is_filtered = wanted != RunFilter(tenant=wanted.tenant)
    if not listed:
        _empty(is_filtered=is_filtered or before is not None)
        return
    can_pick = bulk.is_possible()
    if can_pick:
        bulk.offer(wanted, _picked(listed), is_filtered=is_filtered)
    table.picked(
        _columns(listed, found.at),
        key=_TABLE,
        opens="Run",
        can_pick=can_pick,
        config=_CONFIG,
    )
    st.caption("Click the id of a run to open it.")
    _pager(found, is_first=before is None)


def _look(wanted: RunFilter, before: RunId | None) -> _Found:
    """Return what to show. While rows are ticked it stands still: a tick is on a row, not a run."""
    shown: _Found | None = st.session_state.get(_SHOWN)
    if shown is not None and (row := table.clicked(_TABLE)) is not None and row < PAGE:
        places.go("run", run=shown.listed[row].run.id)
    place = dict(st.query_params.to_dict())
    if shown is not None and shown.place == place and table.ticked(_TABLE):
        return shown
    found = front.read(lambda connection: _find(connection, place, wanted, before))
    st.session_state[_SHOWN] = found
    return found


def _find(
    connection: Connection, place: Mapping[str, str], wanted: RunFilter, before: RunId | None
) -> _Found:
    return _Found(
        place=place,
        at=front.now(),
        listed=runs.page(connection, wanted, before=before, limit=PAGE + 1),
        counts=runs.counts(connection, replace(wanted, statuses=())),
        graphs=runs.graphs(connection, tenant=wanted.tenant),
        tags=runs.tags(connection, tenant=wanted.tenant, limit=TAG_ROWS),
    )


def _picked(listed: Sequence[ListedRun]) -> Sequence[RunId]:
    return [listed[row].run.id for row in table.ticked(_TABLE) if row < len(listed)]


def _columns(listed: Sequence[ListedRun], now: datetime) -> Mapping[str, Sequence[Any]]:
    columns = {
        "State": [MARKS[each.run.status].said(each.run) for each in listed],
        "Run": [each.run.id[:13] for each in listed],
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
        told = _waits(listed.open_gates[0])
        more = len(listed.open_gates) - 1
        return f"{told} and {more} more" if more else told
    return "simulated" if run.mode is RunMode.SIMULATE else ""


def _waits(gate: Gate) -> str:
    match gate.kind:
        case GateKind.APPROVAL:
            groups = ", ".join(gate.approvals or ())
            return f"waits for {groups}: {asked.question(gate)['may_it_happen']}"
        case GateKind.IN_DOUBT:
            return f"in doubt: {asked.question(gate)['did_it_happen']}"
        case GateKind.BUDGET:
            return "waits for more budget"
        case GateKind.QUESTION:
            return "waits for an answer"


def _used(listed: ListedRun) -> str:
    told = [f"{listed.tokens:,} tokens"] if listed.tokens else []
    return " · ".join([*told, *([money(listed.money)] if listed.money else [])])


def _took(run: Run) -> str:
    if run.ended_at is None:
        return ""
    return text.age((run.ended_at - run.created_at).total_seconds())


def _empty(*, is_filtered: bool) -> None:
    with st.container(border=True):
        if is_filtered:
            st.markdown("**No run fits.** Take some of the filter away.")
            if st.button("Show all", icon=":material/filter_alt_off:"):
                run_filter.clear()
                st.rerun()
            return
        st.markdown(
            "**There is no run yet.** Every run appears here with its state, what it waits for,"
            " and how it ended."
        )
        st.markdown("Start one:")
        places.link("graphs", "Choose a graph", icon=":material/rocket_launch:")
        st.code('penstock run hello \'{"name": "Ada"}\'', language=None)


def _pager(found: _Found, *, is_first: bool) -> None:
    has_more = len(found.listed) > PAGE
    if not has_more and is_first:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Newest", disabled=is_first, icon=":material/first_page:"):
            places.note(before=None)
            st.rerun()
        if st.button("Older", disabled=not has_more, icon=":material/chevron_right:"):
            places.note(before=found.listed[PAGE - 1].run.id)
            st.rerun()


_CONFIG: Mapping[str, Any] = {
    "State": st.column_config.TextColumn(width="small"),
    "What is up": st.column_config.TextColumn(width=250),
    "Tags": st.column_config.ListColumn(width=150),
    "Used": st.column_config.TextColumn(width=175, help="With the runs that it has started"),
    "Created": st.column_config.TextColumn(width="small"),
    "Took": st.column_config.TextColumn(width="small"),
}
