"""What a call of a model may use at most, before it is made.

No tokenizer makes more tokens of a text than it has bytes in UTF-8, so that is the bound of what a
model reads: three to four times what English comes to, and what was too much is given back when
the call has ended. What it writes is bounded by the limit that the call itself names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic_core import to_json

MESSAGE_TOKENS = 16
"""What a message takes beside its content: its role, and what marks its beginning and end."""
MEDIA_TOKENS = 16_000
"""What a picture or another part that is no text takes at most, however few bytes name it."""
OUTPUT_TOKENS = 32_768
"""What a model may write that was given no limit; one that writes more is recorded all the same."""

_LIMITS = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "max_tokens_to_sample"),
    *("max_new_tokens", "num_predict", "maxTokens"),
)
"""Where the clients of providers name how much a model may write."""
_TEXTS = frozenset({"text", "reasoning", "thinking", "tool_use", "tool_call", "tool_result"})


def input_bound(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> int:
    """Return how many tokens a model reads at most: the messages, and the tools it is told of."""
    return sum(_message(message) for message in messages) + _told(params)


def prompt_bound(prompt: str, params: Mapping[str, Any]) -> int:
    """Return how many tokens a model reads at most of a prompt that is one text."""
    return MESSAGE_TOKENS + _bytes(prompt) + _told(params)


def output_bound(params: Mapping[str, Any], metadata: Mapping[str, Any]) -> int:
    """Return how many tokens a model writes at most, over all its answers."""
    named = [params.get(name) for name in _LIMITS] + [metadata.get("ls_max_tokens")]
    limits = [limit for limit in named if isinstance(limit, int) and limit > 0]
    answers = params.get("n")
    count = answers if isinstance(answers, int) and answers > 0 else 1
    return count * max(limits, default=OUTPUT_TOKENS)


def _message(message: BaseMessage) -> int:
    content: Any = message.content
    parts = [content] if isinstance(content, str) else content
    asked = getattr(message, "tool_calls", None)
    return (
        MESSAGE_TOKENS
        + sum(_part(part) for part in parts)
        + (_bytes(asked) if asked else 0)
        + (_bytes(message.name) if message.name else 0)
    )


def _part(part: Any) -> int:
    if isinstance(part, str):
        return _bytes(part)
    kind = part.get("type") if isinstance(part, Mapping) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  (a provider's own)
    size = _bytes(part)
    return size if kind in _TEXTS else max(size, MEDIA_TOKENS)


def _told(params: Mapping[str, Any]) -> int:
    told = [params[name] for name in ("tools", "functions", "response_format") if params.get(name)]
    return _bytes(told) if told else 0


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return len(to_json(value, fallback=repr))
