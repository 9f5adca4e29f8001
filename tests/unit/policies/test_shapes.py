"""What of a tool's arguments a policy can see."""

from collections.abc import Mapping

import pytest

from penstock.contracts.tool import JsonSchema
from penstock.policies.shapes import Field, RecordOf, Scalar, SetOf, Shape, read_arguments
from support.policies import NUMBER, STRING, WHOLE, contract

NULL = {"type": "null"}
DEFINITIONS: Mapping[str, object] = {
    "Card": {
        "type": "object",
        "properties": {"number": STRING, "year": WHOLE},
        "required": ["number"],
    },
    "Tree": {"type": "object", "properties": {"below": {"$ref": "#/$defs/Tree"}}},
    "Name": STRING,
}
CARD = RecordOf(
    fields={
        "number": Field(shape=Scalar.TEXT, is_required=True),
        "year": Field(shape=Scalar.WHOLE, is_required=False),
    }
)


def read(schema: JsonSchema, **more: set[str]) -> tuple[Field | None, Mapping[str, str]]:
    """Return the field of one required argument, and what stays out of it."""
    shape = read_arguments(
        contract("t", {"x": schema}, definitions=DEFINITIONS, sensitive=more.get("sensitive", ()))
    )
    return shape.record.fields.get("x"), {left.field: left.why for left in shape.left_out}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (STRING, Scalar.TEXT),
        ({"type": "string", "format": "date-time"}, Scalar.TEXT),
        ({"enum": ["a", "b"]}, Scalar.TEXT),
        ({"const": "a"}, Scalar.TEXT),
        ({"enum": [1, 2]}, Scalar.WHOLE),
        ({"const": True}, Scalar.TRUTH),
        (WHOLE, Scalar.WHOLE),
        (NUMBER, Scalar.DECIMAL),
        ({"type": "number", "multipleOf": 0.01}, Scalar.DECIMAL),
        ({"type": "boolean"}, Scalar.TRUTH),
        ({"type": "array", "items": STRING}, SetOf(element=Scalar.TEXT)),
        ({"type": "array", "items": {"$ref": "#/$defs/Card"}}, SetOf(element=CARD)),
        ({"$ref": "#/$defs/Card"}, CARD),
        ({"$ref": "#/$defs/Name", "description": "d"}, Scalar.TEXT),
        ({"allOf": [{"$ref": "#/$defs/Card"}]}, CARD),
        ({"anyOf": [STRING, {"enum": ["a"]}]}, Scalar.TEXT),
        ({"type": ["string"]}, Scalar.TEXT),
    ],
    ids=str,
)
def test_a_type_that_cedar_has_is_seen(schema: JsonSchema, wanted: Shape) -> None:
    assert read(schema) == (Field(shape=wanted, is_required=True), {})


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [STRING, NULL]},
        {"oneOf": [NULL, {"$ref": "#/$defs/Name"}]},
        {"type": ["string", "null"]},
        {"enum": ["a", None]},
        {"anyOf": [{"anyOf": [STRING, NULL]}]},
        {"anyOf": [STRING, {"type": ["string", "null"]}]},
    ],
    ids=str,
)
def test_what_may_be_null_is_optional(schema: JsonSchema) -> None:
    assert read(schema) == (Field(shape=Scalar.TEXT, is_required=False), {})


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"anyOf": [STRING, WHOLE]}, "several types"),
        ({"anyOf": [NUMBER, WHOLE]}, "several types"),
        ({"type": ["string", "integer"]}, "several types"),
        ({"enum": ["a", 1]}, "several types"),
        ({"enum": [1.5]}, "no texts"),
        ({"enum": [None]}, "always null"),
        (NULL, "always null"),
        ({"anyOf": [NULL]}, "always null"),
        ({}, "anything"),
        ({"type": "what"}, "anything"),
        ({"allOf": [STRING, {"minLength": 1}]}, "several schemas"),
        ({"type": "object"}, "nobody named"),
        ({"type": "object", "additionalProperties": STRING}, "nobody named"),
        ({"type": "array"}, "one type"),
        ({"type": "array", "prefixItems": [STRING]}, "one type"),
        ({"type": "array", "items": {"anyOf": [STRING, NULL]}}, "null"),
        ({"type": "array", "items": {"type": "array", "items": {}}}, "anything"),
        ({"type": "array", "items": {"type": "object"}}, "nobody named"),
        ({"type": "number", "multipleOf": 0.00001}, "four decimals"),
        ({"$ref": "#/$defs/None"}, "leads nowhere"),
        ({"$ref": "elsewhere.json"}, "leads nowhere"),
        (
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"a": STRING},
                    "additionalProperties": True,
                },
            },
            "nobody named",
        ),
    ],
    ids=str,
)
def test_a_type_that_cedar_lacks_stays_out(schema: JsonSchema, why: str) -> None:
    field, out = read(schema)
    assert field is None
    assert out.keys() == {"x"}
    assert why in out["x"]


def test_a_field_that_stays_out_leaves_its_record_in() -> None:
    schema = {"type": "object", "properties": {"a": STRING, "b": {}}, "required": ["a"]}
    field, out = read(schema)
    assert field is not None
    assert field.shape == RecordOf(fields={"a": Field(shape=Scalar.TEXT, is_required=True)})
    assert out.keys() == {"x.b"}


def test_a_type_that_is_made_of_itself_stays_out_where_it_is_again() -> None:
    field, out = read({"$ref": "#/$defs/Tree"})
    assert field is not None
    assert out == {"x.below": "it is made of itself"}


def test_a_field_beside_one_of_its_type_is_no_circle() -> None:
    card = {"$ref": "#/$defs/Card"}
    field, out = read({"type": "object", "properties": {"a": card, "b": card}})
    assert field is not None
    assert field.shape == RecordOf(
        fields={name: Field(shape=CARD, is_required=False) for name in ("a", "b")}
    )
    assert not out


def test_a_sensitive_field_stays_out_alone() -> None:
    field, out = read({"$ref": "#/$defs/Card"}, sensitive={"x.number"})
    assert field is not None
    assert field.shape == RecordOf(fields={"year": Field(shape=Scalar.WHOLE, is_required=False)})
    assert out.keys() == {"x.number"}


def test_a_list_with_a_sensitive_field_stays_out_whole() -> None:
    field, out = read(
        {"type": "array", "items": {"$ref": "#/$defs/Card"}}, sensitive={"x.number"}
    )  # fmt: skip
    assert field is None
    assert out.keys() == {"x"}


@pytest.mark.parametrize("name", ["__entity", "__extn", "__expr"])
def test_a_name_that_cedar_keeps_for_itself_stays_out(name: str) -> None:
    shape = read_arguments(contract("t", {name: STRING}))
    assert not shape.record.fields
    assert [left.field for left in shape.left_out] == [name]


def test_fields_that_nobody_named_are_told_of_the_arguments() -> None:
    given = contract("t", {"a": STRING})
    schema = {**given.arguments_schema, "additionalProperties": True}
    told = type(given)(
        name="t", version="1", description="d", arguments_schema=schema, result_schema={}
    )  # fmt: skip
    assert [left.field for left in read_arguments(told).left_out] == ["*"]
