"""What models cost: by the prices that an operator named, or those that are published."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from penstock.contracts.budget import MICROS, Money, Price

PUBLISHED_CURRENCY = "USD"
"""In which published prices are."""

_PROVIDERS = {
    "google_genai": "google",
    "google_vertexai": "google",
    "amazon_bedrock": "aws",
    "bedrock": "aws",
    "mistralai": "mistral",
    "xai": "x-ai",
}
"""What LangChain calls providers that the published prices name otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a model has read and written, or may, in tokens."""

    input: int
    """All that was read, from a cache too."""
    output: int
    cache_read: int = 0
    """Of the input, what came from the provider's cache."""
    cache_write: int = 0
    """Of the input, what was put there."""

    @property
    def tokens(self) -> int:
        """What counts against a cap."""
        return self.input + self.output


def price(
    model: str | None, provider: str | None, used: Used, named: Mapping[str, Price]
) -> Money | None:
    """Return what a call costs, rounded up to a millionth; None where nobody knows.

    A price that the operator named comes first, and knows no discount for what was cached.
    """
    if model is None:
        return None
    own = named.get(model)
    if own is not None:
        total = own.input * used.input + own.output * used.output
        # For a million tokens, in units of which an amount has a million: that is the same number.
        return Money(micros=_up(total), currency=own.currency)
    published = _published(model, provider, used)
    if published is None:
        return None
    return Money(micros=_up(published * MICROS), currency=PUBLISHED_CURRENCY)


def worst_price(
    model: str | None, provider: str | None, used: Used, named: Mapping[str, Price]
) -> Money | None:
    """Return what a call costs at most: nothing comes from a cache, or all is put there."""
    plain = price(model, provider, used, named)
    if plain is None:
        return None
    kept = Used(input=used.input, output=used.output, cache_write=used.input)
    dearer = price(model, provider, kept, named)
    return max((each for each in (plain, dearer) if each), key=lambda each: each.micros)


def _published(model: str, provider: str | None, used: Used) -> Decimal | None:
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
