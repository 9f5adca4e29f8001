"""A graph as LangGraph compiles it: taken in as it is found, and put on a checkpointer.

The one module of this room that imports LangGraph for more than its types. It takes half a second,
so the others import this one when they are first given a graph.

Neither of LangGraph's own ways to change the checkpointer of a compiled graph will do. Its `copy`
forgets which types of the state may be deserialized in strict mode (as `with_config` does, which
`create_agent` ends with), and compiling the builder once more fails where the builder has a default
error handler. So the graph is copied as any Python object is.
"""

import copy
from typing import Any, cast

from langgraph._internal import _serde
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

Compiled = Pregel[Any, Any, Any, Any]
Builder = StateGraph[Any, Any, Any, Any]

UNNAMED = "LangGraph"
"""What LangGraph calls a graph that nobody gave a name."""


def compiled_form(graph: object) -> Compiled | None:
    """Return a graph as something that runs; None when it is not a LangGraph graph.

    A builder is compiled from a copy, so its owner may go on building, or compile it.

    Raises:
        ValueError: LangGraph refuses to compile the builder.
    """
    if isinstance(graph, StateGraph):
        return _own_copy(cast(Builder, graph)).compile()
    return cast(Compiled, graph) if isinstance(graph, Pregel) else None


def on_checkpointer(
    compiled: Compiled, checkpointer: BaseCheckpointSaver[Any], *, name: str
) -> Compiled:
    """Return the graph with another checkpointer, and with a name if it has none.

    Whatever else it was compiled with stays: stops, store, cache, debugging, config. The graph
    itself is not changed, and changing the nodes of the copy does not change it either.
    """
    ours: Any = copy.copy(compiled)
    ours.nodes = dict(ours.nodes)
    ours.channels = dict(ours.channels)
    if ours.name == UNNAMED:
        ours.name = name
    _remember_types(ours)
    # LangGraph does so when it compiles, and otherwise each time it looks at the checkpointer.
    ours.checkpointer = checkpointer.with_allowlist(ours._serde_allowlist or ())
    return ours


def _own_copy(builder: Any) -> Any:
    """Copy a builder with all that compiling it would change, and all its owner may add to."""
    ours = copy.copy(builder)
    attributes: dict[str, object] = builder.__dict__
    for attribute, value in attributes.items():
        if isinstance(value, dict | set):
            setattr(ours, attribute, copy.copy(cast(object, value)))
    ours.nodes = {name: copy.copy(node) for name, node in builder.nodes.items()}
    return ours


def _remember_types(compiled: Any) -> None:
    """Give the list of the state's types back to a graph that lost it in LangGraph's `copy`.

    Without it a state's own types come back from a checkpoint as plain dictionaries.
    """
    builder = getattr(compiled, "builder", None)
    if compiled._serde_allowlist is None and builder is not None:
        types = [*builder.schemas, *([builder.context_schema] if builder.context_schema else [])]
        compiled._serde_allowlist = _serde.build_serde_allowlist(
            schemas=types, channels=builder.channels
        )
