"""LangChain's callbacks: handlers of one kind of event, and the one that traces nodes' attempts.

Each event is a call of a handler, and for a handler that may block also a change of thread. So a
handler ignores every other kind.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, ClassVar

from langchain_core.callbacks import BaseCallbackHandler

from penstock.traces import SegmentTrace

NODE_TAG = "graph:step:"
"""The prefix of a tag that only a node itself has; a contract test holds it."""


class EventKind(Enum):
    """A kind of event of LangChain."""

    MODELS = auto()
    CHAINS = auto()
    """Nodes, and chains of LangChain in them."""
    RETRIEVERS = auto()


class Handler(BaseCallbackHandler):
    """A handler of one kind of event."""

    kind: ClassVar[EventKind]

    @property
    def ignore_llm(self) -> bool:
        """Whether it ignores models that take one text."""
        return self.kind is not EventKind.MODELS

    @property
    def ignore_chat_model(self) -> bool:
        """Whether it ignores models that take messages."""
        return self.kind is not EventKind.MODELS

    @property
    def ignore_chain(self) -> bool:
        """Whether it ignores nodes and chains."""
        return self.kind is not EventKind.CHAINS

    @property
    def ignore_retriever(self) -> bool:
        """Whether it ignores queries."""
        return self.kind is not EventKind.RETRIEVERS

    @property
    def ignore_agent(self) -> bool:
        """It ignores tools."""
        return True

    @property
    def ignore_retry(self) -> bool:
        """It ignores LangChain's own retries."""
        return True

    @property
    def ignore_custom_event(self) -> bool:
        """It ignores custom events."""
        return True


class NodeAttempts(Handler):
    """Reports each attempt of a node to the trace of a segment: LangGraph's stream does not."""

    kind = EventKind.CHAINS
    run_inline = True
    """It does not block, and a thread would cost more."""

    def __init__(self, trace: SegmentTrace) -> None:
        """Report to the trace of a segment."""
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
        """Report a node that starts, for the first time or again."""
        if any(tag.startswith(NODE_TAG) for tag in tags or ()):
            namespace = str((metadata or {}).get("langgraph_checkpoint_ns", ""))
            self._trace.count_attempt(namespace.rpartition(":")[2])
