"""The graphs of the project: what each looks like, who waits in it, and a form to start a run."""

from collections.abc import Mapping
from typing import Any, cast

import streamlit as st

from penstock.checkpoints import runs
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import LIVE, Run, RunMode, RunStatus
from penstock.graphs import Graph, input_schema
from penstock.graphs.topology import topology
from penstock.runs.roles import Right
from penstock.ui import front, places
from penstock.ui.components import charts, picture
from penstock.ui.components.table import shown
from penstock.ui.components.words import plain, sentence
from penstock.ui.forms import sending
from penstock.ui.forms.fields import MISSING, Form, has_branches


def show() -> None:
    """Show one graph, and the way to the others."""
    st.title("Graphs", anchor=False)
    known = sorted(front.desk().catalog, key=lambda graph: graph.name)
    if not known:
        _none()
        return
    names = [graph.name for graph in known]
    asked = places.asked("graph")
    name = st.segmented_control(
        "Graph",
        names,
        default=asked if asked in names else names[0],
        required=True,
        key="graphs-name",
        label_visibility="collapsed",
        on_change=_choose,
    )
    sending.tell("launch")
    graph = front.desk().catalog.get(name)
    left, right = st.columns([2, 3], gap="large")
    with left:
        is_dark = st.context.theme.type == "dark"
        palette = picture.DARK if is_dark else picture.LIGHT
        charts.graph(picture.dot(topology(graph), (), palette=palette))
    with right:
        _about(graph)
        _launch(graph)
    _tools(graph)


def _choose() -> None:
    places.note(graph=st.session_state.get("graphs-name"))


def _none() -> None:
    with st.container(border=True):
        st.markdown(
            "**No graph is at hand.** The graphs that a project's `langgraph.json` names appear"
            " here, each with a form to start a run."
        )
        missing = front.front().graphs_missing
        if missing is not None:
            st.markdown(sentence(missing))
        st.markdown("In an empty folder, this makes a project to try:")
        st.code("penstock init\npenstock ui", language=None)


def _about(graph: Graph) -> None:
    if graph.description:
        st.markdown(plain(graph.description))
    wanted = RunFilter(tenant=front.tenant(), graph=graph.name)
    counts = front.read(lambda connection: runs.counts(connection, wanted))
    live = sum(counts[status] for status in LIVE)
    st.caption(
        f"version {plain(graph.version)} · fingerprint {graph.fingerprint[:8]} · {live} live,"
        f" {counts[RunStatus.WAITING]} of them waiting for people ·"
        f" {counts[RunStatus.FAILED]} failed"
    )
    places.link("runs", "Its runs", icon=":material/list_alt:", graph=graph.name)


def _launch(graph: Graph) -> None:
    st.subheader("Start a run", anchor=False)
    if not front.may(Right.START):
        st.info(
            "You may look, and start nothing: a run acts for whoever starts it, and you have no"
            " role here that it could act under.",
            icon=":material/visibility:",
        )
        return
    schema = _schema(graph)
    if has_branches(schema):
        _fill(graph, schema)
    else:
        with st.form(f"launch-{graph.name}", border=False):
            _fill(graph, schema, is_form=True)


def _fill(graph: Graph, schema: Mapping[str, Any], *, is_form: bool = False) -> None:
    form = Form(schema, key=f"launch-{graph.name}")
    given = form.fill()
    simulated = st.checkbox("Simulate: its tools only read", key=f"simulate-{graph.name}")
    press = st.form_submit_button if is_form else st.button
    if not press("Start", type="primary", icon=":material/rocket_launch:"):
        return
    if form.problems:
        st.warning(f"Nothing was started. {sentence('; '.join(form.problems))}.")
        return
    started: list[Run] = []

    def act() -> str:
        with front.runtime() as runtime:
            run = runtime.start(
                graph.name,
                {} if given is MISSING else given,
                actor=front.person(),
                tenant=front.tenant(),
                mode=RunMode.SIMULATE if simulated else RunMode.LIVE,
            )
        started.append(run)
        return "Started."

    if sending.send(act, about="launch"):
        places.go("run", run=started[0].id)
    st.rerun()


def _schema(graph: Graph) -> Mapping[str, Any]:
    """Return the schema of a graph's input; one of JSON where it says nothing."""
    found = input_schema(graph)
    if found.get("properties"):
        return cast("Mapping[str, Any]", found)
    return {"title": "Input", "description": "Whatever the graph takes."}


def _names(schema: Mapping[str, Any]) -> list[str]:
    return list(schema.get("properties", {}))


def _tools(graph: Graph) -> None:
    if not graph.tools:
        return
    with st.expander(f"Tools that it is known to call ({len(graph.tools)})"):
        contracts = [tool.contract for tool in graph.tools.values()]
        shown(
            {
                "tool": [plain(each.name) for each in contracts],
                "does": [plain(each.description.partition("\n")[0]) for each in contracts],
                "class": [str(each.effect) for each in contracts],
                "version": [plain(each.version) for each in contracts],
                "arguments": [
                    plain(", ".join(_names(each.arguments_schema))) for each in contracts
                ],
            },
            border="horizontal",
        )
