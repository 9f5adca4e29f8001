"""A digest of what a stored run rests on in its graph.

Two graphs with one fingerprint can go on with each other's runs: a checkpoint names nodes and
channels, and a gate stands in a node, so none of these may have gone. What a node does is not part
of it, because a mended node must be able to go on with the runs that wait for it. A change of
behaviour that runs under way must not see is said by the graph's version.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstock.contracts.ids import Fingerprint
from penstock.graphs.structure import walk_subgraphs

if TYPE_CHECKING:
    from penstock.graphs.compiled import Compiled

FORMAT = 1
"""Raised whenever the digest covers something else: no run of an older release goes on after it."""

ANYWHERE = "*"
"""Where a conditional edge leads that does not say its targets."""


def fingerprint(compiled: "Compiled", *, name: str, version: str) -> Fingerprint:
    """Digest a graph's name, version, nodes, edges, stops and channels, and its subgraphs'.

    The same in every process and under every Python, in whatever order the graph was built.
    """
    described = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "graphs": {namespace: _topology(graph) for namespace, graph in walk_subgraphs(compiled)},
    }
    text = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return Fingerprint(hashlib.sha256(text.encode()).hexdigest())


def _topology(graph: Any) -> dict[str, Any]:
    builder = getattr(graph, "builder", None)
    shape = _drawn(graph) if builder is None else _built(builder)
    return {
        **shape,
        "stops_before": _names(graph.interrupt_before_nodes),
        "stops_after": _names(graph.interrupt_after_nodes),
    }


def _built(builder: Any) -> dict[str, Any]:
    """Describe a graph as it was built: its names are the user's, not LangGraph's."""
    return {
        "nodes": {
            name: {
                "deferred": node.defer,
                "on_error": node.error_handler_node,
                "goto": _names(node.ends or ()),
            }
            for name, node in builder.nodes.items()
        },
        "edges": sorted([start, end] for start, end in builder.edges),
        "joins": sorted([_names(starts), end] for starts, end in builder.waiting_edges),
        # A condition's own name is the name of a function: code, not topology.
        "branches": {
            source: sorted(
                _names(branch.ends.values()) if branch.ends else [ANYWHERE]
                for branch in branches.values()
            )
            for source, branches in builder.branches.items()
            # Asking a builder for the branches of a node leaves an empty entry behind.
            if branches
        },
        "channels": _names(builder.channels),
        "input": _names(builder.schemas[builder.input_schema]),
    }


def _drawn(graph: Any) -> dict[str, Any]:
    """Describe a graph without a builder: an `@entrypoint`, or a `Pregel` made by hand."""
    return {
        "nodes": {
            name: {
                "triggers": _names(node.triggers),
                "reads": _names(node.channels),
                "writes": _names(
                    entry.channel
                    for writer in node.writers
                    for entry in getattr(writer, "writes", ())
                    if hasattr(entry, "channel")
                ),
            }
            for name, node in graph.nodes.items()
        },
        "channels": _names(graph.channels),
        "input": _names(graph.input_channels),
    }


def _names(names: str | Iterable[Any]) -> list[str]:
    """Sort names, each once; a single one, like the `*` of a stop everywhere, stands alone."""
    return [names] if isinstance(names, str) else sorted({str(name) for name in names})
