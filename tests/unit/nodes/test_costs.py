"""What a call of a model may use at most is never less than what it uses."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from penstock.contracts.budget import Money, Price
from penstock.nodes.models.costs import (
    MEDIA_TOKENS,
    MESSAGE_TOKENS,
    OUTPUT_TOKENS,
    TokenUsage,
    input_bound,
    output_bound,
    price,
    prompt_bound,
    worst_price,
)


@given(st.text())
def test_a_text_has_no_more_tokens_than_bytes(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    assert input_bound([HumanMessage(text)], {}) == MESSAGE_TOKENS + size
    assert prompt_bound(text, {}) == MESSAGE_TOKENS + size


def test_what_a_message_carries_beside_its_text_counts() -> None:
    plain = input_bound([AIMessage("")], {})
    call = {"name": "pay", "args": {"to": "x" * 500}, "id": "1", "type": "tool_call"}
    assert input_bound([AIMessage("", tool_calls=[call])], {}) > plain + 500
    parts: Any = [{"type": "text", "text": "x" * 500}]
    assert input_bound([HumanMessage(parts)], {}) > plain + 500
    seen: Any = [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]
    assert input_bound([HumanMessage(seen)], {}) >= plain + MEDIA_TOKENS


def test_the_tools_that_a_model_is_told_of_count() -> None:
    tools = [{"name": "pay", "description": "x" * 500}]
    assert input_bound([], {"tools": tools}) > 500


@pytest.mark.parametrize(
    ("params", "metadata", "bound"),
    [
        ({}, {}, OUTPUT_TOKENS),
        ({"max_tokens": 7}, {}, 7),
        ({"max_completion_tokens": 8}, {}, 8),
        ({}, {"ls_max_tokens": 9}, 9),
        ({"max_tokens": None}, {"ls_max_tokens": 9}, 9),
        ({"max_tokens": 7, "max_output_tokens": 11}, {}, 11),
        ({"max_tokens": 7, "n": 3}, {}, 21),
    ],
)
def test_what_a_model_writes_is_bounded_by_what_it_is_given(
    params: dict[str, Any], metadata: dict[str, Any], bound: int
) -> None:
    assert output_bound(params, metadata) == bound


def test_published_prices_are_found_by_the_names_of_langchain() -> None:
    used = TokenUsage(input=1_000_000, output=0)
    for model, provider in (
        ("gpt-4o", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("gemini-2.5-pro", "google_genai"),
        ("gpt-4o", "a gateway of our own"),
    ):
        found = price(model, provider, used, {})
        assert found is not None
        assert found.currency == "USD"
        assert found.micros > 1_000_000


def test_a_model_that_nobody_knows_has_no_price() -> None:
    used = TokenUsage(input=1, output=1)
    assert price("of-our-own", "us", used, {}) is None
    assert price(None, "openai", used, {}) is None
    assert worst_price("of-our-own", None, used, {}) is None


def test_the_worst_price_is_that_of_filling_a_cache() -> None:
    used = TokenUsage(input=10_000, output=100)
    plain = price("claude-sonnet-4-5", "anthropic", used, {})
    worst = worst_price("claude-sonnet-4-5", "anthropic", used, {})
    assert plain is not None
    assert worst is not None
    assert worst.micros > plain.micros


def test_a_named_price_comes_first_and_is_rounded_up() -> None:
    named = {"gpt-4o": Price(input=Decimal("0.1"), output=Decimal(0), currency="EUR")}
    found = price("gpt-4o", "openai", TokenUsage(input=11, output=5), named)
    assert found == Money(micros=2, currency="EUR")
