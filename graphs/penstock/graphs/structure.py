"""The nodes of a graph and of its subgraphs: their paths, their kinds and their timeouts."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from penstock.contracts.errors import InvalidGraph
from penstock.contracts.step import StepKind

if TYPE_CHECKING:
    from penstock.graphs.compiled import Compiled


SEPARATOR = "|"
"""Stands between the names of a namespace, as in LangGraph's own."""

KIND_KEY = "kind"
"""The key of a node's metadata: `add_node("draft", draft, metadata={"kind": "plan"})`."""

ENTRY = "__start__"
"""LangGraph's own node, which takes the input in."""


def walk_subgraphs(
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
            yield from walk_subgraphs(subgraph, node_path(namespace, node), inside=inside)


def node_path(namespace: str, node: str) -> str:
    """Return a node's path from the graph's top: `research|search`."""
    return f"{namespace}{SEPARATOR}{node}" if namespace else node


def step_kinds(compiled: "Compiled") -> Mapping[str, StepKind]:
    """Return the kind of every node, by its path from the graph's top (`research|search`).

    A node that says nothing is a `tool` if it is a `ToolNode`, and `other` if not.

    Raises:
        InvalidGraph: A node claims a kind that does not exist.
    """
    kinds = {
        node_path(namespace, name): _kind(node_path(namespace, name), node)
        for namespace, graph in walk_subgraphs(compiled)
        for name, node in graph.nodes.items()
        if name != ENTRY
    }
    return MappingProxyType(kinds)


def node_timeouts(compiled: "Compiled") -> Mapping[str, float]:
    """Return how many seconds one attempt of a node may take, by its path from the graph's top.

    Only nodes that say so are in it. How long one may be silent is something else.
    """
    found: dict[str, float] = {}
    for namespace, graph in walk_subgraphs(compiled):
        for name, node in graph.nodes.items():
            policy: Any = node.timeout
            if policy is not None and policy.run_timeout is not None:
                found[node_path(namespace, name)] = _seconds(policy.run_timeout)
    return MappingProxyType(found)


def _subgraphs(compiled: Any) -> Iterator[tuple[str, Any]]:
    return compiled.get_subgraphs()


def _kind(path: str, node: Any) -> StepKind:
    metadata: Mapping[str, object] = node.metadata or {}
    claimed = metadata.get(KIND_KEY)
    if claimed is None:
        # LangGraph too knows its ToolNode by this attribute when it draws a graph.
        return StepKind.TOOL if hasattr(node.bound, "tools_by_name") else StepKind.OTHER
    try:
        return StepKind(claimed)
    except ValueError:
        wanted = ", ".join(f"`{kind}`" for kind in StepKind)
        raise InvalidGraph(
            f"Node `{path}` says in its metadata that its `{KIND_KEY}` is {claimed!r}. "
            f"Wanted is one of {wanted}; or leave the key out."
        ) from None


def _seconds(given: float | timedelta) -> float:
    return given.total_seconds() if isinstance(given, timedelta) else given
