"""What contracts mark as sensitive is hidden wherever it turns up."""

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from penstock.contracts.redaction.fields import HIDDEN, PIECE, Masking
from penstock.traces.segment import MARGIN_CHARS, SHOWN_CHARS, span_text, truncate

ARGS = {"pin": "4242", "to": [{"card": "abcdef", "name": "ann"}]}


def hiding() -> Masking:
    return Masking({"pay": {"pin", "to.card"}})


@pytest.mark.parametrize(
    "asked",
    [
        AIMessage("", tool_calls=[{"name": "pay", "args": ARGS, "id": "c", "type": "tool_call"}]),
        {"messages": [{"tool_calls": [{"name": "pay", "args": ARGS}]}]},
        {"function": {"name": "pay", "arguments": json.dumps(ARGS)}},
        [{"type": "tool_use", "name": "pay", "input": ARGS}],
    ],
)
def test_the_message_that_asks_for_a_call_hides_what_it_hides(asked: Any) -> None:
    ours = hiding()
    shown = span_text(ours.mask_calls(asked))
    assert "4242" not in shown
    assert "abcdef" not in shown
    assert "ann" in shown
    assert ours.mask_text("it is 4242, abcdef") == f"it is {HIDDEN}, {HIDDEN}"


def test_a_part_of_arguments_that_are_streamed_is_hidden_whole() -> None:
    asked = {"name": "pay", "args": '{"pin": "42'}
    assert hiding().mask_calls(asked) == {"name": "pay", "args": HIDDEN}


def test_another_tools_arguments_are_shown() -> None:
    asked = {"name": "look", "args": {"pin": "4242"}}
    assert hiding().mask_calls(asked) == asked


def test_what_is_short_is_hidden_where_it_was_and_nowhere_else() -> None:
    ours = hiding()
    assert ours.mask_arguments("pay", {"pin": "7"}) == {"pin": HIDDEN}
    assert ours.mask_text("7 of 17") == "7 of 17"


@pytest.mark.parametrize("value", [4242, 'a\nb"c', {"deep": ["er value"]}])
def test_whatever_a_field_holds_is_known_by_its_text(value: Any) -> None:
    ours = hiding()
    ours.mask_arguments("pay", {"pin": value})
    shown = ours.mask_text(json.dumps({"note": value}))
    assert json.dumps(value)[1:-1] not in shown
    assert HIDDEN in shown


def test_a_part_of_a_long_value_is_hidden_where_a_text_is_cut() -> None:
    long = "".join(f"{number:06}" for number in range(5_000))
    ours = hiding()
    ours.mask_arguments("pay", {"pin": long})
    shown = truncate(ours.mask_text(span_text("x" * (SHOWN_CHARS - 500) + long)))
    assert "000001" not in shown
    assert MARGIN_CHARS > 2 * PIECE


def test_a_secret_that_a_cut_would_part_is_seen_whole() -> None:
    ours = hiding()
    ours.mask_arguments("pay", {"pin": "abcdefghij"})
    text = "x" * (SHOWN_CHARS - 5) + "abcdefghij"
    assert "abcde" not in truncate(ours.mask_text(span_text(text)))
