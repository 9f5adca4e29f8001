"""One run: what it does or waits for, how it came there, and what can be done with it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from penstock.contracts.audit import AuditEvent
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import LIVE, RunMode
from penstock.graphs.topology import topology
from penstock.ui import front, places
from penstock.ui.components import asked, bars, comparison, inspector, why
from penstock.ui.components.drawing import drawing
from penstock.ui.components.history import given, history
from penstock.ui.components.picture import svg
from penstock.ui.components.selection import Chosen, chosen, pick
from penstock.ui.components.states import MARKS
from penstock.ui.components.story import Story, find
from penstock.ui.components.table import shown
from penstock.ui.components.timeline import timeline
from penstock.ui.components.words import badge, instant, plain
from penstock.ui.forms import forking, sending, steering

LOOK_S = 2.0

_VIEWS = ("steps", "calls", "states", "input", "events")
_WITH_INSPECTOR = ("steps", "calls")


def show() -> None:
    """Show the run that the URL names."""
    places.link("runs", "Runs", icon=":material/arrow_back:")
    named = places.asked("run")
    if named is None:
        st.title("Run", anchor=False)
        st.info("No run is named. Open one from the list.", icon=":material/list_alt:")
        return
    run_id = RunId(named)
    _head(run_id)
    if places.asked("fork") is not None:
        _beside(run_id, "fork")
    elif places.asked("compare") is not None:
        _beside(run_id, "compare")
    _body(run_id)


@st.fragment
def _beside(run_id: RunId, what: str) -> None:
    """Show what is done with the run, or what it is compared with. It does not refresh itself."""
    story = front.read(lambda connection: find(connection, run_id))
    with st.container(border=True):
        if what == "fork":
            forking.fork(story, chosen(story.steps, story.effects, story.calls))
        else:
            comparison.compare(story)
        places.link("run", "Close", icon=":material/close:", run=run_id)


@st.fragment(run_every=LOOK_S)
def _head(run_id: RunId) -> None:
    story = front.read(lambda connection: find(connection, run_id))
    run = story.run
    st.title(f"{plain(run.graph)} · {plain(run.id[:13])}", anchor=False)
    badges = [MARKS[run.status].badge()]
    if run.status in LIVE and run.pause_by is not None:
        badges.append(":gray-badge[:material/pause: paused]")
    if run.mode is RunMode.SIMULATE:
        badges.append(":gray-badge[simulated]")
    badges += [badge("gray", plain(tag), "sell") for tag in run.tags]
    st.markdown(" ".join(badges))
    sending.tell(run.id)
    why.why(story)
    why.versions(story)
    why.kin(story)
    steering.buttons(story)
    if story.budget is not None:
        bars.budget(story.budget)


@st.fragment(run_every=LOOK_S)
def _body(run_id: RunId) -> None:
    story = front.read(lambda connection: find(connection, run_id))
    now = chosen(story.steps, story.effects, story.calls)
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.header("Where it is", anchor=False)
        _picture(story, now)
    with right:
        st.header("What it did when", anchor=False)
        _timeline(story, now)
        _gates(story)
    _view(story, now)
    if _chosen_view() in _WITH_INSPECTOR:
        inspector.inspect(story, now)


def _view(story: Story, now: Chosen) -> None:
    """Show a part of what is known of the run; what is not shown is not read."""
    names = {
        "steps": f"Steps ({len(story.steps)})",
        "calls": f"Tool calls ({len(story.effects)})",
        "states": "States",
        "input": "Input",
        "events": f"Everything ({len(story.events)})",
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
            inspector.calls(story, now)
        case "states":
            history(story)
        case "input":
            given(story)
        case "events":
            _events(story.events)
        case _:
            inspector.steps(story, now)


def _choose() -> None:
    places.note(show=st.session_state.get("run-show"))


def _chosen_view() -> str:
    asked_for = places.asked("show")
    if asked_for in _VIEWS:
        return asked_for
    return "steps" if places.asked("call") is None else "calls"


def _picture(story: Story, now: Chosen) -> None:
    graph = story.graph
    if graph is None:
        st.caption("The project's graphs are not at hand, so it cannot be drawn.")
        return
    if str(graph.fingerprint) != story.run.fingerprint:
        st.caption("The graph has changed since this run began; it is drawn as it is now.")
    drawing(
        svg(topology(graph), story.steps, chosen=None if now.step is None else now.step.node),
        key="run-picture",
        pick=lambda picked: pick(picked, story.steps, now),
    )


def _timeline(story: Story, now: Chosen) -> None:
    if not story.steps:
        st.caption("It has taken no step yet.")
        return
    drawing(
        timeline(story.steps, story.gates, story.calls, now, end=story.run.ended_at or front.now()),
        key="run-timeline",
        pick=lambda picked: pick(picked, story.steps, now),
    )


def _gates(story: Story) -> None:
    closed = [gate for gate in story.gates if gate.status is not GateStatus.OPEN]
    if not closed:
        return
    with st.expander(f"Gates that it came through ({len(closed)})"):
        for gate in closed:
            st.markdown(f"{asked.title(gate)}  \n{asked.outcome(gate, front.now())}")
            places.link("gate", "Look at it", gate=gate.id)


def _events(events: Sequence[AuditEvent]) -> None:
    shown(
        {
            "at": [instant(event.at) for event in events],
            "what": [plain(event.action) for event in events],
            "who": [plain(event.actor) for event in events],
            "detail": [plain(_detail(event.detail)) for event in events],
        },
        border="horizontal",
    )


def _detail(detail: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)
