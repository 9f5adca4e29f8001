"""The shape of a graph, for pictures: its nodes by their paths, and the ways between them."""

from dataclasses import dataclass
from typing import Any, cast

from penstock.graphs.declaration import Graph

BEGIN, END = "__start__", "__end__"
"""What LangGraph calls where a graph begins and ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from one node to another."""

    source: str
    target: str
    is_conditional: bool
    """Whether a run may go another way."""
    label: str
    """What has to be for it; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The nodes of a graph, those of subgraphs as `outer|inner`, and the ways between them."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]


def topology(graph: Graph) -> Topology:
    """Return the shape of a graph, with its subgraphs."""
    # Its types are LangChain's, in part unknown.
    drawn: Any = cast("Any", graph.compiled).get_graph(xray=True)
    return Topology(
        nodes=tuple(_path(str(name)) for name in drawn.nodes),
        edges=tuple(
            Edge(
                source=_path(str(edge.source)),
                target=_path(str(edge.target)),
                is_conditional=bool(edge.conditional),
                label="" if edge.data is None else str(edge.data),
            )
            for edge in drawn.edges
        ),
    )


def _path(name: str) -> str:
    """Return a node as steps name it: LangGraph draws inner nodes as `outer:inner`."""
    return name.replace(":", "|")
