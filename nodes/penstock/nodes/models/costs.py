"""The costs of a model's call: the tokens that it may use at most, and their price.

No tokenizer makes more tokens of a text than it has bytes in UTF-8, so that number bounds the input
of a model. It is three to four times the tokens of English text; what is reserved too much is
released when the call has ended. The output is bounded by the limit that the call itself names.

Prices are those that the operator has set, or else those that are published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic_core import to_json

from penstock.contracts.budget import MICROS, Money, Price

MESSAGE_TOKENS = 16
"""The tokens of a message beside its content: its role, and the marks of its start and end."""
MEDIA_TOKENS = 16_000
"""The most tokens of a picture or another part that is no text, however few bytes name it."""
OUTPUT_TOKENS = 32_768
"""The output of a model without a limit; a longer output is recorded all the same."""
_LIMITS = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "max_tokens_to_sample"),
    *("max_new_tokens", "num_predict", "maxTokens"),
)
"""The parameters by which clients of providers limit the output."""
_TEXTS = frozenset({"text", "reasoning", "thinking", "tool_use", "tool_call", "tool_result"})
PUBLISHED_CURRENCY = "USD"
"""The currency of published prices."""
_PROVIDERS = {
    "google_genai": "google",
    "google_vertexai": "google",
    "amazon_bedrock": "aws",
    "bedrock": "aws",
    "mistralai": "mistral",
    "xai": "x-ai",
}
"""LangChain's names of providers, where the published prices use another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """The tokens that a model has read and written, or may."""

    input: int
    """All tokens that were read, also from a cache."""
    output: int
    cache_read: int = 0
    """The part of the input that was read from the provider's cache."""
    cache_write: int = 0
    """The part of the input that was written to it."""

    @property
    def tokens(self) -> int:
        """The tokens that count against a cap."""
        return self.input + self.output


def input_bound(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> int:
    """Return how many tokens a model reads at most: the messages, and the tools it may call."""
    return sum(_message(message) for message in messages) + _tool_bytes(params)


def prompt_bound(prompt: str, params: Mapping[str, Any]) -> int:
    """Return how many tokens a model reads at most, whose prompt is one text."""
    return MESSAGE_TOKENS + _bytes(prompt) + _tool_bytes(params)


def output_bound(params: Mapping[str, Any], metadata: Mapping[str, Any]) -> int:
    """Return how many tokens a model writes at most, over all its answers."""
    named = [params.get(name) for name in _LIMITS] + [metadata.get("ls_max_tokens")]
    limits = [limit for limit in named if isinstance(limit, int) and limit > 0]
    answers = params.get("n")
    count = answers if isinstance(answers, int) and answers > 0 else 1
    return count * max(limits, default=OUTPUT_TOKENS)


def price(
    model: str | None, provider: str | None, used: TokenUsage, named: Mapping[str, Price]
) -> Money | None:
    """Return the price of a call, rounded up to a millionth; None where it is not known.

    A price that the operator has set comes first, and has no discount for cached input.
    """
    if model is None:
        return None
    own = named.get(model)
    if own is not None:
        total = own.input * used.input + own.output * used.output
        # Prices are per million tokens, and amounts are in millionths: the factors cancel.
        return Money(micros=_up(total), currency=own.currency)
    published = _published(model, provider, used)
    if published is None:
        return None
    return Money(micros=_up(published * MICROS), currency=PUBLISHED_CURRENCY)


def worst_price(
    model: str | None, provider: str | None, used: TokenUsage, named: Mapping[str, Price]
) -> Money | None:
    """Return the highest price of a call: nothing is read from a cache, or all is written to it."""
    plain = price(model, provider, used, named)
    if plain is None:
        return None
    kept = TokenUsage(input=used.input, output=used.output, cache_write=used.input)
    dearer = price(model, provider, kept, named)
    return max((each for each in (plain, dearer) if each), key=lambda each: each.micros)


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


def _tool_bytes(params: Mapping[str, Any]) -> int:
    tools = [params[name] for name in ("tools", "functions", "response_format") if params.get(name)]
    return _bytes(tools) if tools else 0


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return len(to_json(value, fallback=repr))


def _published(model: str, provider: str | None, used: TokenUsage) -> Decimal | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415  (a second, for who calls models)

    usage = Usage(
        input_tokens=used.input,
        output_tokens=used.output,
        cache_read_tokens=used.cache_read,
        cache_write_tokens=used.cache_write,
    )
    known = None if provider is None else _PROVIDERS.get(provider, provider)
    for wanted in dict.fromkeys((known, None)):
        try:
            return calc_price(usage, model_ref=model, provider_id=wanted).total_price
        except LookupError:
            continue
    return None


def _up(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))
