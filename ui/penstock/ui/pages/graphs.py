"""The graphs of the project: their pictures, how their runs stand, and a form to start a run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import runs, workers
from penstock.contracts.inbox import GraphVersion, WaitingNode
from penstock.contracts.run import LIVE, RunStatus
from penstock.graphs import Graph
from penstock.graphs.topology import Topology, topology
from penstock.ui import navigation, session
from penstock.ui.components import feedback, table
from penstock.ui.components.badges import RUN_STATES
from penstock.ui.components.drawing import draw
from penstock.ui.components.feedback import show_first_steps
from penstock.ui.components.graph_picture import svg
from penstock.ui.components.markdown import ago, escaped, node_name
from penstock.ui.components.table import show_table
from penstock.ui.forms import launch

_VERSIONS, _NODES = "graph-versions", "graph-nodes"
_ORDER = (*(status for status in RunStatus if status in LIVE), RunStatus.FAILED)
LOOK_S = 5.0
LARGE = 14
"""A graph with more nodes gets the whole width, and a window in which its picture scrolls."""
WINDOW_PX = 760
WORKER_ROWS = 1_000


def show() -> None:
    """Show one graph, and a choice of the others."""
    st.title("Graphs", anchor=False)
    known = sorted(session.desk().catalog, key=lambda graph: graph.name)
    if not known:
        show_first_steps(
            "**No graph is at hand.** The graphs that a project's `langgraph.json` names appear"
            " here, each with a form to start a run.",
            then="In an empty folder, this makes a project to try:",
            code="penstock init\npenstock ui",
        )
        return
    names = [graph.name for graph in known]
    asked = navigation.parameter("graph")
    name = st.segmented_control(
        "Graph",
        names,
        default=asked if asked in names else names[0],
        required=True,
        key="graphs-name",
        label_visibility="collapsed",
        on_change=_choose,
    )
    feedback.show_outcome(launch.ABOUT)
    graph = session.desk().catalog.get(name)
    shape = topology(graph)
    if len(shape.nodes) > LARGE:
        _picture(graph, shape, height=WINDOW_PX)
        _about(graph)
    else:
        left, right = st.columns([2, 3], gap="large")
        with left:
            _picture(graph, shape, height="content")
        with right:
            _about(graph)
    _stand(graph, shape)
    _tools(graph)


def _summary(found: Sequence[GraphVersion]) -> str:
    """Return how many runs of a graph live, wait and have failed, in one line."""
    counts = Counter[RunStatus]()
    for each in found:
        counts.update(each.counts)
    live = sum(counts[status] for status in LIVE)
    return (
        f"{live:,} live, {counts[RunStatus.WAITING]:,} of them waiting for people ·"
        f" {counts[RunStatus.FAILED]:,} failed"
    )


def _show_versions(
    graph: str,
    found: Sequence[GraphVersion],
    *,
    fingerprint: str,
    serving: Mapping[str, int],
    now: datetime,
) -> None:
    """Show the versions of a graph that runs were started with; each leads to its runs.

    `fingerprint` is that of the project's own, `serving` has how many workers take which.
    """
    row = table.opened_row(_VERSIONS)
    if row is not None and row < len(found):
        navigation.go("runs", graph=graph, shape=found[row].fingerprint)
    st.header("Versions", anchor=False)
    if not found:
        st.caption("It has had no run yet. Each form of it that runs were started with is here.")
        return
    left = [each for each in found if not serving.get(each.fingerprint)]
    living = sum(each.counts.get(status, 0) for each in left for status in LIVE)
    if living:
        subject = "run that is not over is" if living == 1 else "runs that are not over are"
        st.warning(
            f"{living:,} {subject} of a form of this graph that no worker has now. A worker whose"
            " project has it can go on with them.",
            icon=":material/history:",
        )
    columns: dict[str, Sequence[Any]] = {
        "Runs of": [each.fingerprint[:8] for each in found],
        "Version": [each.version for each in found],
        "": ["here" if each.fingerprint == fingerprint else "" for each in found],
    }
    columns["Workers"] = [serving.get(each.fingerprint, 0) for each in found]
    for status in (*_ORDER, RunStatus.SUCCEEDED, RunStatus.CANCELLED):
        if any(each.counts.get(status) for each in found):
            columns[RUN_STATES[status].name] = [each.counts.get(status, 0) for each in found]
    columns["First run"] = [ago(each.first_at, now) for each in found]
    columns["Last run"] = [ago(each.last_at, now) for each in found]
    table.show_pickable(columns, key=_VERSIONS, opens="Runs of", can_pick=False)


def _show_nodes(graph: str, found: Sequence[WaitingNode], *, drawn: Sequence[str]) -> None:
    """Show the nodes in which runs wait; each leads to its runs."""
    row = table.opened_row(_NODES)
    if row is not None and row < len(found):
        navigation.go("runs", graph=graph, node=found[row].node, shape=found[row].fingerprint)
    st.header("Where runs wait", anchor=False)
    if not found:
        st.caption(
            "No run waits for anybody. A node that runs wait in is here, and in the picture."
        )
        return
    columns: Mapping[str, Sequence[Any]] = {
        "Node": [node_name(each.node) for each in found],
        "Runs": [each.count for each in found],
        "Version": [each.version for each in found],
        "Fingerprint": [each.fingerprint[:8] for each in found],
        "": ["" if each.node in drawn else "not in the project's graph any more" for each in found],
    }
    table.show_pickable(columns, key=_NODES, opens="Node", can_pick=False)


def _waiting_by_node(found: Sequence[WaitingNode]) -> Mapping[str, int]:
    """Return how many runs wait in each node, whatever version of the graph they began with."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.node] = counts.get(each.node, 0) + each.count
    return counts


def _choose() -> None:
    navigation.set_parameters(graph=st.session_state.get("graphs-name"))


@st.fragment(run_every=LOOK_S)
def _picture(graph: Graph, shape: Topology, *, height: int | Literal["content"]) -> None:
    versions, nodes = session.read(lambda connection: _find(connection, graph.name))
    with st.container(height=height, border=False):
        draw(svg(shape, (), waiting=_waiting_by_node(nodes)), key="graphs-picture")
    st.caption(_summary(versions))


def _about(graph: Graph) -> None:
    if graph.description:
        st.markdown(escaped(graph.description))
    st.caption(f"version {escaped(graph.version)} · fingerprint {graph.fingerprint[:8]}")
    navigation.link("runs", "Its runs", icon=":material/list_alt:", graph=graph.name)
    launch.launch_form(graph)


@st.fragment(run_every=LOOK_S)
def _stand(graph: Graph, shape: Topology) -> None:
    (versions, nodes), serving = session.read(
        lambda connection: (_find(connection, graph.name), _serving(connection, graph.name))
    )
    _show_versions(
        graph.name,
        versions,
        fingerprint=str(graph.fingerprint),
        serving=serving,
        now=session.now(),
    )
    if versions:
        _show_nodes(graph.name, nodes, drawn=shape.nodes)


def _find(
    connection: Connection, graph: str
) -> tuple[Sequence[GraphVersion], Sequence[WaitingNode]]:
    tenant = session.tenant()
    return (
        runs.versions(connection, tenant=tenant, graph=graph),
        runs.waiting_nodes(connection, tenant=tenant, graph=graph),
    )


def _serving(connection: Connection, graph: str) -> Mapping[str, int]:
    """Return how many workers take runs of each fingerprint of a graph."""
    present = workers.present(connection, limit=WORKER_ROWS)
    return Counter(
        fingerprint
        for worker in present
        if worker.is_taking
        for name, fingerprint in worker.graphs
        if name == graph
    )


def _names(schema: Mapping[str, Any]) -> list[str]:
    return list(schema.get("properties", {}))


def _tools(graph: Graph) -> None:
    if not graph.tools:
        return
    with st.expander(f"Tools that it is known to call ({len(graph.tools)})"):
        contracts = [tool.contract for tool in graph.tools.values()]
        show_table(
            {
                "tool": [escaped(each.name) for each in contracts],
                "does": [escaped(each.description.partition("\n")[0]) for each in contracts],
                "class": [str(each.effect) for each in contracts],
                "version": [escaped(each.version) for each in contracts],
                "arguments": [
                    escaped(", ".join(_names(each.arguments_schema))) for each in contracts
                ],
            },
            border="horizontal",
        )
