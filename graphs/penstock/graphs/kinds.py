"""What each node of a graph is for, as its metadata says."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from penstock.contracts.errors import InvalidGraph
from penstock.contracts.step import StepKind
from penstock.graphs.walk import join, walk

if TYPE_CHECKING:
    from penstock.graphs.compiled import Compiled

KEY = "kind"
"""The key of a node's metadata: `add_node("draft", draft, metadata={"kind": "plan"})`."""

ENTRY = "__start__"
"""LangGraph's own node, which takes the input in."""


def step_kinds(compiled: "Compiled") -> Mapping[str, StepKind]:
    """Return the kind of every node, by its path from the graph's top (`research|search`).

    A node that says nothing is a `tool` if it is a `ToolNode`, and `other` if not.

    Raises:
        InvalidGraph: A node claims a kind that does not exist.
    """
    kinds = {
        join(namespace, name): _kind(join(namespace, name), node)
        for namespace, graph in walk(compiled)
        for name, node in graph.nodes.items()
        if name != ENTRY
    }
    return MappingProxyType(kinds)


def _kind(path: str, node: Any) -> StepKind:
    metadata: Mapping[str, object] = node.metadata or {}
    claimed = metadata.get(KEY)
    if claimed is None:
        # LangGraph too knows its ToolNode by this attribute when it draws a graph.
        return StepKind.TOOL if hasattr(node.bound, "tools_by_name") else StepKind.OTHER
    try:
        return StepKind(claimed)
    except ValueError:
        wanted = ", ".join(f"`{kind}`" for kind in StepKind)
        raise InvalidGraph(
            f"Node `{path}` says in its metadata that its `{KEY}` is {claimed!r}. "
            f"Wanted is one of {wanted}; or leave the key out."
        ) from None
