"""A JSON Schema in words."""

from collections.abc import Mapping
from typing import Any

import pytest

from penstock.ui.components.json_schema import Field, fields, type_name

CARD: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "card": {"$ref": "#/$defs/Card", "description": "What is charged."},
        "cents": {"type": "integer", "exclusiveMinimum": 0, "maximum": 10_000},
        "note": {"anyOf": [{"type": "string", "maxLength": 80}, {"type": "null"}], "default": None},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "minItems": 1},
    },
    "required": ["card", "cents"],
    "$defs": {
        "Card": {
            "type": "object",
            "properties": {"number": {"type": "string"}, "month": {"enum": [1, 2]}},
            "required": ["number"],
        },
        "Item": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}


def by_name(sensitive: frozenset[str] = frozenset()) -> Mapping[str, Field]:
    """Return the fields of a card."""
    return {each.name: each for each in fields(CARD, sensitive)}


def test_fields_within_fields_are_named_from_the_whole_on() -> None:
    assert list(by_name()) == [
        "card",
        "card.number",
        "card.month",
        "cents",
        "note",
        "items",
        "items[].name",
    ]


def test_a_field_says_its_type_limits_and_default() -> None:
    found = by_name()
    assert (found["cents"].type, found["cents"].limits) == ("whole number", "above 0, to 10000")
    assert (found["note"].type, found["note"].limits) == ("text or nothing", "at most 80 letters")
    assert (found["note"].is_wanted, found["note"].default) == (False, "null")
    assert found["items"].type == "list of object"
    assert found["card.month"].type == "one of 1, 2"
    assert found["card"].about == "What is charged."


def test_what_is_within_a_sensitive_field_is_sensitive() -> None:
    told = {
        name for name, each in by_name(frozenset({"card", "cents"})).items() if each.is_sensitive
    }
    assert told == {"card", "card.number", "card.month", "cents"}
    told = {name for name, each in by_name(frozenset({"card.number"})).items() if each.is_sensitive}
    assert told == {"card.number"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "anything"),
        ({"type": ["string", "integer"]}, "text or whole number"),
        ({"const": "a"}, 'always "a"'),
        ({"type": "string", "format": "date"}, "text, date"),
        ({"type": "array", "items": {"type": "array", "items": {}}}, "list of list of anything"),
        ({"$ref": "#/$defs/Me", "$defs": {"Me": {"$ref": "#/$defs/Me"}}}, "anything"),
    ],
)
def test_types_are_words(schema: Mapping[str, Any], said: str) -> None:
    assert type_name(schema) == said


def test_schema_that_holds_itself_comes_to_an_end() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Tree"}}}
    assert len(fields({**tree, "$defs": {"Tree": tree}})) < 9
