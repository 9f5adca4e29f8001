"""How often a node was tried, as LangChain's callbacks tell: LangGraph's stream does not."""

from collections.abc import Sequence
from typing import Any

from penstock.nodes.models.callbacks import Handler, Heard
from penstock.traces import SegmentTrace

NODE_TAG = "graph:step:"
"""What a tag begins with that only a node itself has; a contract test holds it."""


class Tries(Handler):
    """Tells the trace of a segment of each attempt of a node, in any graph."""

    hears = Heard.CHAINS
    run_inline = True
    """It waits for nothing, and a thread would cost more."""

    def __init__(self, trace: SegmentTrace) -> None:
        """Tell the trace of a segment."""
        self._trace = trace

    def on_chain_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002  (LangChain's signature)
        inputs: dict[str, Any],  # noqa: ARG002  (likewise)
        *,
        tags: Sequence[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Tell of a node that begins, or begins again."""
        if any(tag.startswith(NODE_TAG) for tag in tags or ()):
            namespace = str((metadata or {}).get("langgraph_checkpoint_ns", ""))
            self._trace.tried(namespace.rpartition(":")[2])
