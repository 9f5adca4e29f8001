"""How often a node was tried, as LangChain's callbacks tell: LangGraph's stream does not."""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from penstock.traces import SegmentTrace

NODE_TAG = "graph:step:"
"""What a tag begins with that only a node itself has; a contract test holds it."""


class Tries(BaseCallbackHandler):
    """Tells the trace of a segment of each attempt of a node, in any graph."""

    run_inline = True
    """It waits for nothing, and a thread would cost more."""

    def __init__(self, trace: SegmentTrace) -> None:
        """Tell the trace of a segment."""
        self._trace = trace

    @property
    def ignore_llm(self) -> bool:
        """It is not told of models."""
        return True

    @property
    def ignore_chat_model(self) -> bool:
        """It is not told of models."""
        return True

    @property
    def ignore_agent(self) -> bool:
        """It is not told of tools."""
        return True

    @property
    def ignore_retriever(self) -> bool:
        """It is not told of queries."""
        return True

    @property
    def ignore_retry(self) -> bool:
        """It is not told of what LangChain itself repeats."""
        return True

    @property
    def ignore_custom_event(self) -> bool:
        """It is not told of events of one's own."""
        return True

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
