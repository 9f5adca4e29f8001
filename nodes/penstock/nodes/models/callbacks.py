"""LangChain's callbacks: handlers that are told of one kind of event and of no other.

Each telling is a call, and for a handler that may wait also a change of thread.
"""

from enum import Enum, auto
from typing import ClassVar

from langchain_core.callbacks import BaseCallbackHandler


class Heard(Enum):
    """What a handler is told of."""

    MODELS = auto()
    CHAINS = auto()
    """Nodes, and chains of LangChain in them."""
    RETRIEVERS = auto()


class Handler(BaseCallbackHandler):
    """A handler that is told of what `hears` says, and of nothing else."""

    hears: ClassVar[Heard]

    @property
    def ignore_llm(self) -> bool:
        """Whether it is not told of models that take one text."""
        return self.hears is not Heard.MODELS

    @property
    def ignore_chat_model(self) -> bool:
        """Whether it is not told of models that take messages."""
        return self.hears is not Heard.MODELS

    @property
    def ignore_chain(self) -> bool:
        """Whether it is not told of nodes and chains."""
        return self.hears is not Heard.CHAINS

    @property
    def ignore_retriever(self) -> bool:
        """Whether it is not told of queries."""
        return self.hears is not Heard.RETRIEVERS

    @property
    def ignore_agent(self) -> bool:
        """It is not told of tools."""
        return True

    @property
    def ignore_retry(self) -> bool:
        """It is not told of what LangChain itself repeats."""
        return True

    @property
    def ignore_custom_event(self) -> bool:
        """It is not told of events of one's own."""
        return True
