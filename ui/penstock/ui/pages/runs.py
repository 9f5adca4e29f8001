"""The runs of a tenant: which there are, what each waits for, and the way to one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import runs
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import ListedRun, RunFilter
from penstock.contracts.run import LIVE, Run, RunMode, RunStatus
from penstock.ui import front, places
from penstock.ui.cli import texts
from penstock.ui.components import asked
from penstock.ui.components.states import MARKS
from penstock.ui.components.table import opened
from penstock.ui.components.words import short

PAGE = 50
LOOK_S = 4.0

_SPANS = {"1h": "Last hour", "24h": "Last day", "7d": "Last week", "30d": "Last month"}
_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    listed: Sequence[ListedRun]
    counts: Mapping[RunStatus, int]
    graphs: Sequence[str]


def show() -> None:
    """Show a page of runs."""
    st.title("Runs", anchor=False)
    _list()


@st.fragment(run_every=LOOK_S)
def _list() -> None:
    wanted, before = _asked()
    found = front.read(lambda connection: _find(connection, wanted, before))
    _filters(found, wanted)
    listed = found.listed[:PAGE]
    if not listed:
        _empty(is_filtered=_is_filtered(wanted) or before is not None)
        return
    row = opened(_columns(listed), key="runs-table", config=_CONFIG)
    if row is not None:
        places.go("run", run=listed[row].run.id)
    st.caption("Tick a run to open it.")
    _pager(found, before)


def _asked() -> tuple[RunFilter, RunId | None]:
    """Return what the URL asks for."""
    statuses = [each for each in (places.asked("state") or "").split(",") if each in _STATES]
    span = _HOURS.get(places.asked("time") or "")
    before = places.asked("before")
    wanted = RunFilter(
        tenant=front.tenant(),
        statuses=tuple(RunStatus(each) for each in statuses),
        graph=places.asked("graph"),
        since=None if span is None else front.now() - timedelta(hours=span),
        waits_for=places.asked("waits"),
        text=places.asked("find"),
    )
    return wanted, None if before is None else RunId(before)


def _find(connection: Connection, wanted: RunFilter, before: RunId | None) -> _Found:
    return _Found(
        listed=runs.page(connection, wanted, before=before, limit=PAGE + 1),
        counts=runs.counts(connection, _without_states(wanted)),
        graphs=runs.graphs(connection, tenant=wanted.tenant),
    )


def _without_states(wanted: RunFilter) -> RunFilter:
    return RunFilter(
        tenant=wanted.tenant,
        graph=wanted.graph,
        since=wanted.since,
        waits_for=wanted.waits_for,
        text=wanted.text,
    )


def _filters(found: _Found, wanted: RunFilter) -> None:
    st.pills(
        "State",
        list(RunStatus),
        default=list(wanted.statuses),
        selection_mode="multi",
        format_func=lambda status: f"{MARKS[status].name} ({found.counts[status]:,})",
        key="runs-state",
        label_visibility="collapsed",
        on_change=_choose_states,
    )
    groups = sorted(front.desk().people.groups or ())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _pick("Graph", found.graphs, wanted.graph, name="graph", empty="All graphs")
        _pick("Time", list(_SPANS), places.asked("time"), name="time", empty="All times")
        if groups:
            _pick("Waits for", groups, wanted.waits_for, name="waits", empty="Waits for anybody")
        st.text_input(
            "Find",
            wanted.text or "",
            placeholder="Run, key, thread or person",
            key="runs-find",
            label_visibility="collapsed",
            icon=":material/search:",
            width=280,
            on_change=_choose,
            args=("find",),
        )


def _pick(label: str, options: Sequence[str], chosen: str | None, *, name: str, empty: str) -> None:
    known = list(options) if chosen is None or chosen in options else [*options, chosen]
    st.selectbox(
        label,
        known,
        index=None if chosen is None else known.index(chosen),
        format_func=_spelled,
        placeholder=empty,
        key=f"runs-{name}",
        label_visibility="collapsed",
        width=190,
        on_change=_choose,
        args=(name,),
    )


def _spelled(option: str) -> str:
    return _SPANS.get(option, option)


def _choose(name: str) -> None:
    chosen: Any = st.session_state.get(f"runs-{name}")
    places.note(**{name: str(chosen).strip() if chosen else None, "before": None})


def _choose_states() -> None:
    chosen: Sequence[RunStatus] = st.session_state.get("runs-state") or ()
    places.note(state=",".join(chosen) or None, before=None)


def _columns(listed: Sequence[ListedRun]) -> Mapping[str, Sequence[Any]]:
    now = front.now()
    return {
        "State": [MARKS[each.run.status].said(each.run) for each in listed],
        "Run": [each.run.id[:13] for each in listed],
        "Graph": [each.run.graph for each in listed],
        "For": [each.run.principal for each in listed],
        "What is up": [_what_is_up(each) for each in listed],
        "Created": [
            texts.age(max((now - each.run.created_at).total_seconds(), 1)) + " ago"
            for each in listed
        ],
        "Took": [_took(each.run) for each in listed],
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


def _took(run: Run) -> str:
    if run.ended_at is None:
        return ""
    return texts.age((run.ended_at - run.created_at).total_seconds())


def _empty(*, is_filtered: bool) -> None:
    with st.container(border=True):
        if is_filtered:
            st.markdown("**No run fits.** Take some of the filter away.")
            if st.button("Show all", icon=":material/filter_alt_off:"):
                for name in ("state", "graph", "time", "waits", "find"):
                    st.session_state.pop(f"runs-{name}", None)
                st.query_params.clear()
                st.rerun()
            return
        st.markdown(
            "**There is no run yet.** Every run appears here with its state, what it waits for,"
            " and how it ended."
        )
        st.markdown("Start one:")
        places.link("graphs", "Choose a graph", icon=":material/rocket_launch:")
        st.code('penstock run hello \'{"name": "Ada"}\'', language=None)


def _pager(found: _Found, before: RunId | None) -> None:
    has_more = len(found.listed) > PAGE
    if not has_more and before is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Newest", disabled=before is None, icon=":material/first_page:"):
            places.note(before=None)
            st.rerun()
        if st.button("Older", disabled=not has_more, icon=":material/chevron_right:"):
            places.note(before=found.listed[PAGE - 1].run.id)
            st.rerun()


def _is_filtered(wanted: RunFilter) -> bool:
    return wanted != RunFilter(tenant=wanted.tenant)


_STATES = {status.value for status in RunStatus}
_CONFIG: Mapping[str, Any] = {
    "State": st.column_config.TextColumn(width="small"),
    "Run": st.column_config.TextColumn(width=125, help="The beginning of its id"),
    "What is up": st.column_config.TextColumn(width="large"),
    "Created": st.column_config.TextColumn(width="small"),
    "Took": st.column_config.TextColumn(width="small"),
}
