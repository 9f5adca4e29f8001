"""The graphs of the project: how each looks, how its runs stand, and a form to start one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import runs, workers
from penstock.contracts.inbox import GraphVersion, WaitingNode
from penstock.graphs import Graph
from penstock.graphs.topology import Topology, topology
from penstock.ui import front, places
from penstock.ui.components import standing
from penstock.ui.components.drawing import drawing
from penstock.ui.components.picture import svg
from penstock.ui.components.table import shown
from penstock.ui.components.words import plain, sentence
from penstock.ui.forms import launch, sending

LOOK_S = 5.0

LARGE = 14
"""A graph with more nodes has the whole width, and a window in which its picture scrolls."""
WINDOW_PX = 760
WORKER_ROWS = 1_000


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
    sending.tell(launch.ABOUT)
    graph = front.desk().catalog.get(name)
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


@st.fragment(run_every=LOOK_S)
def _picture(graph: Graph, shape: Topology, *, height: int | Literal["content"]) -> None:
    versions, nodes = front.read(lambda connection: _find(connection, graph.name))
    with st.container(height=height, border=False):
        drawing(svg(shape, (), waiting=standing.waiting(nodes)), key="graphs-picture")
    st.caption(standing.summary(versions))


def _about(graph: Graph) -> None:
    if graph.description:
        st.markdown(plain(graph.description))
    st.caption(f"version {plain(graph.version)} · fingerprint {graph.fingerprint[:8]}")
    places.link("runs", "Its runs", icon=":material/list_alt:", graph=graph.name)
    launch.launch(graph)


@st.fragment(run_every=LOOK_S)
def _stand(graph: Graph, shape: Topology) -> None:
    (versions, nodes), serving = front.read(
        lambda connection: (_find(connection, graph.name), _serving(connection, graph.name))
    )
    standing.versions(
        graph.name,
        versions,
        fingerprint=str(graph.fingerprint),
        serving=serving,
        now=front.now(),
    )
    if versions:
        standing.nodes(graph.name, nodes, drawn=shape.nodes)


def _find(
    connection: Connection, graph: str
) -> tuple[Sequence[GraphVersion], Sequence[WaitingNode]]:
    tenant = front.tenant()
    return (
        runs.versions(connection, tenant=tenant, graph=graph),
        runs.waiting_nodes(connection, tenant=tenant, graph=graph),
    )


def _serving(connection: Connection, graph: str) -> Mapping[str, int]:
    """Return how many workers take runs of each form of a graph."""
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
