"""One run: what it does or waits for, how it came there, and what can be done with it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from penstock.contracts.audit import AuditEvent
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import LIVE, RunMode
from penstock.graphs.topology import topology
from penstock.ui import navigation, session
from penstock.ui.components import (
    charts,
    feedback,
    gate_card,
    inspector,
    run_comparison,
    run_summary,
)
from penstock.ui.components.badges import RUN_STATES, badge
from penstock.ui.components.drawing import draw
from penstock.ui.components.graph_picture import svg
from penstock.ui.components.markdown import escaped, short_id, utc_instant
from penstock.ui.components.run_details import RunDetails, Selection, load_run, select, selection
from penstock.ui.components.state_history import show_input, show_states
from penstock.ui.components.table import show_table
from penstock.ui.components.timeline import timeline
from penstock.ui.forms import fork, run_actions

LOOK_S = 2.0

_VIEWS = ("steps", "calls", "states", "input", "events")
_WITH_INSPECTOR = ("steps", "calls")


def show() -> None:
    """Show the run that the URL names."""
    navigation.link("runs", "Runs", icon=":material/arrow_back:")
    named = navigation.parameter("run")
    if named is None:
        st.title("Run", anchor=False)
        st.info("No run is named. Open one from the list.", icon=":material/list_alt:")
        return
    run_id = RunId(named)
    _head(run_id)
    if navigation.parameter("fork") is not None:
        _beside(run_id, "fork")
    elif navigation.parameter("compare") is not None:
        _beside(run_id, "compare")
    _body(run_id)


@st.fragment
def _beside(run_id: RunId, what: str) -> None:
    """Show the form that forks the run, or its comparison. It does not refresh itself."""
    details = session.read(lambda connection: load_run(connection, run_id))
    with st.container(border=True):
        if what == "fork":
            fork.fork_form(details, selection(details))
        else:
            run_comparison.compare(details)
        navigation.link("run", "Close", icon=":material/close:", run=run_id)


@st.fragment(run_every=LOOK_S)
def _head(run_id: RunId) -> None:
    details = session.read(lambda connection: load_run(connection, run_id))
    run = details.run
    st.title(f"{escaped(run.graph)} · {escaped(short_id(run.id))}", anchor=False)
    badges = [RUN_STATES[run.status].badge()]
    if run.status in LIVE and run.pause_by is not None:
        badges.append(":gray-badge[:material/pause: paused]")
    if run.mode is RunMode.SIMULATE:
        badges.append(":gray-badge[simulated]")
    badges += [badge("gray", escaped(tag), "sell") for tag in run.tags]
    st.markdown(" ".join(badges))
    feedback.show_outcome(run.id)
    run_summary.show_reason(details)
    run_summary.show_versions(details)
    run_summary.show_forks(details)
    run_actions.action_buttons(details)
    if details.budget is not None:
        charts.budget_bars(details.budget)


@st.fragment(run_every=LOOK_S)
def _body(run_id: RunId) -> None:
    details = session.read(lambda connection: load_run(connection, run_id))
    selected = selection(details)
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.header("Where it is", anchor=False)
        _picture(details, selected)
    with right:
        st.header("What it did when", anchor=False)
        _timeline(details, selected)
        _gates(details)
    _view(details, selected)
    if _chosen_view() in _WITH_INSPECTOR:
        inspector.inspect(details, selected)


def _view(details: RunDetails, selected: Selection) -> None:
    """Show one view of the run; the other views are not read."""
    names = {
        "steps": f"Steps ({len(details.steps)})",
        "calls": f"Tool calls ({len(details.effects)})",
        "states": "States",
        "input": "Input",
        "events": f"Everything ({len(details.events)})",
    }
    # What the URL says counts, whoever has written it there.
    st.session_state["run-show"] = _chosen_view()
    st.segmented_control(
        "What to show",
        list(names),
        format_func=lambda name: names[name],
        required=True,
        key="run-show",
        label_visibility="collapsed",
        on_change=_choose,
    )
    match _chosen_view():
        case "calls":
            inspector.calls_table(details, selected)
        case "states":
            show_states(details)
        case "input":
            show_input(details)
        case "events":
            _events(details.events)
        case _:
            inspector.steps_table(details, selected)


def _choose() -> None:
    navigation.set_parameters(show=st.session_state.get("run-show"))


def _chosen_view() -> str:
    asked_for = navigation.parameter("show")
    if asked_for in _VIEWS:
        return asked_for
    return "steps" if navigation.parameter("call") is None else "calls"


def _picture(details: RunDetails, selected: Selection) -> None:
    graph = details.graph
    if graph is None:
        st.caption("The project's graphs are not at hand, so it cannot be drawn.")
        return
    if str(graph.fingerprint) != details.run.fingerprint:
        st.caption("The graph has changed since this run began; it is drawn as it is now.")
    draw(
        svg(
            topology(graph),
            details.steps,
            chosen=None if selected.step is None else selected.step.node,
        ),
        key="run-picture",
        pick=lambda picked: select(picked, details.steps, selected),
    )


def _timeline(details: RunDetails, selected: Selection) -> None:
    if not details.steps:
        st.caption("It has taken no step yet.")
        return
    draw(
        timeline(
            details.steps,
            details.gates,
            details.calls,
            selected,
            end=details.run.ended_at or session.now(),
        ),
        key="run-timeline",
        pick=lambda picked: select(picked, details.steps, selected),
    )


def _gates(details: RunDetails) -> None:
    closed = [gate for gate in details.gates if gate.status is not GateStatus.OPEN]
    if not closed:
        return
    with st.expander(f"Gates that it came through ({len(closed)})"):
        for gate in closed:
            st.markdown(f"{gate_card.title(gate)}  \n{gate_card.outcome(gate, session.now())}")
            navigation.link("gate", "Look at it", gate=gate.id)


def _events(events: Sequence[AuditEvent]) -> None:
    show_table(
        {
            "at": [utc_instant(event.at) for event in events],
            "what": [escaped(event.action) for event in events],
            "who": [escaped(event.actor) for event in events],
            "detail": [escaped(_detail(event.detail)) for event in events],
        },
        border="horizontal",
    )


def _detail(detail: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)
