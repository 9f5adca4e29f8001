"""A chat model that says what it is told to, and what that has used."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

USED = UsageMetadata(input_tokens=30, output_tokens=12, total_tokens=42)


def cached(read: int, *, of: int, written: int) -> UsageMetadata:
    """Return the usage of a call of which a part was read from a cache."""
    return UsageMetadata(
        input_tokens=of,
        output_tokens=written,
        total_tokens=of + written,
        input_token_details=InputTokenDetails(cache_read=read),
    )


class ServiceError(Exception):
    """What a provider's client raises."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code


class Talker(BaseChatModel):
    """Answers `hello`, and notes that it was asked."""

    model: str | None = None
    max_tokens: int = 100
    usage: UsageMetadata | None = USED
    errors: list[Exception] = []  # noqa: RUF012  (a field of Pydantic's)
    """Raised one after another, in place of an answer."""
    asked: list[str] = []  # noqa: RUF012  (likewise)

    @property
    def _llm_type(self) -> str:
        return "talker"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self._ask(messages)
        answer = AIMessage("hello", usage_metadata=self.usage)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _ask(self, messages: list[BaseMessage]) -> None:
        self.asked.append(str(messages[-1].content))
        if self.errors:
            raise self.errors.pop(0)


class Streamer(Talker):
    """Answers in pieces, the last of which says what was used."""

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        self._ask(messages)
        for text in ("hel", "lo"):
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=self.usage))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk
