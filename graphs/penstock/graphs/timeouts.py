"""How long the nodes of a graph may take."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from penstock.graphs.walk import join, walk

if TYPE_CHECKING:
    from penstock.graphs.compiled import Compiled


def node_timeouts(compiled: "Compiled") -> Mapping[str, float]:
    """Return how many seconds one attempt of a node may take, by its path from the graph's top.

    Only nodes that say so are in it. How long one may be silent is something else.
    """
    found: dict[str, float] = {}
    for namespace, graph in walk(compiled):
        for name, node in graph.nodes.items():
            policy: Any = node.timeout
            if policy is not None and policy.run_timeout is not None:
                found[join(namespace, name)] = _seconds(policy.run_timeout)
    return MappingProxyType(found)


def _seconds(given: float | timedelta) -> float:
    return given.total_seconds() if isinstance(given, timedelta) else given
