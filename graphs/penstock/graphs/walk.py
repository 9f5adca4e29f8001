"""Walking through a graph and the subgraphs in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.graphs.compiled import Compiled

SEPARATOR = "|"
"""Stands between the names of a namespace, as in LangGraph's own."""


def walk(
    compiled: "Compiled", namespace: str = "", *, inside: tuple[int, ...] = ()
) -> Iterator[tuple[str, "Compiled"]]:
    """Yield the graph under the empty namespace, and each subgraph LangGraph sees under its own.

    A namespace is the path of nodes that leads to the subgraph: `research|search`. A graph that
    calls itself is not entered again, and one that runs elsewhere is not entered at all.
    """
    yield namespace, compiled
    inside = (*inside, id(compiled))
    for node, subgraph in _subgraphs(compiled):
        if hasattr(subgraph, "nodes") and id(subgraph) not in inside:
            yield from walk(subgraph, join(namespace, node), inside=inside)


def join(namespace: str, node: str) -> str:
    """Return a node's path from the graph's top: `research|search`."""
    return f"{namespace}{SEPARATOR}{node}" if namespace else node


def _subgraphs(compiled: Any) -> Iterator[tuple[str, Any]]:
    return compiled.get_subgraphs()
