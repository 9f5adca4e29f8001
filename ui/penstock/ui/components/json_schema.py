"""A JSON Schema as people read it: a row a field, its type and its limits in words."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

Schema = Mapping[str, Any]

_DEPTH_LIMIT = 4
"""Deeper fields are not listed: their type is `object`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an object."""

    name: str
    """A dotted path from the top: `card.number`; `[]` is each item of a list."""
    type: str
    is_wanted: bool
    default: str
    """As JSON; empty where there is none."""
    limits: str
    is_sensitive: bool
    about: str


def fields(schema: Schema, sensitive: Collection[str] = ()) -> Sequence[Field]:
    """Return the fields of an object, each followed by the fields within it."""
    return list(_fields(schema, schema, (), sensitive))


def type_name(schema: Schema) -> str:
    """Return a type in words."""
    return _type_name(schema, schema, 0)


def _fields(
    schema: Schema, whole: Schema, path: tuple[str, ...], sensitive: Collection[str]
) -> Iterator[Field]:
    schema = _resolved(schema, whole)
    wanted: Collection[str] = schema.get("required", ())
    for name, field_schema in cast("Mapping[str, Schema]", schema.get("properties", {})).items():
        here = (*path, name)
        found = _resolved(field_schema, whole)
        yield Field(
            name=".".join(here).replace(".[]", "[]"),
            type=_type_name(field_schema, whole, 0),
            is_wanted=name in wanted,
            default=json.dumps(field_schema["default"], ensure_ascii=False)
            if "default" in field_schema
            else "",
            limits=_limits(found),
            is_sensitive=_is_within([part for part in here if part != "[]"], sensitive),
            about=str(field_schema.get("description") or found.get("description") or ""),
        )
        if len(here) < _DEPTH_LIMIT:
            yield from _fields(found, whole, here, sensitive)
            if isinstance(found.get("items"), Mapping):
                yield from _fields(found["items"], whole, (*here, "[]"), sensitive)


def _is_within(path: Sequence[str], sensitive: Collection[str]) -> bool:
    return any(".".join(path[:length]) in sensitive for length in range(1, len(path) + 1))


def _resolved(schema: Schema, whole: Schema) -> Schema:
    """Return the schema behind a `$ref`, and the other branch of one that may be null."""
    for _ in range(_DEPTH_LIMIT):
        branches = [each for each in _branches(schema) if each.get("type") != "null"]
        if len(branches) == 1:
            schema = branches[0]
        elif isinstance(schema.get("$ref"), str):
            name = schema["$ref"].rpartition("/")[2]
            schema = cast("Schema", whole.get("$defs", {}).get(name, {}))
        else:
            break
    return schema


def _branches(schema: Schema) -> Sequence[Schema]:
    return schema.get("anyOf") or schema.get("oneOf") or ()


def _type_name(schema: Schema, whole: Schema, depth: int) -> str:
    if depth > _DEPTH_LIMIT:
        return "…"
    branches = _branches(schema)
    if branches:
        return " or ".join(dict.fromkeys(_type_name(each, whole, depth + 1) for each in branches))
    schema = _resolved(schema, whole)
    if "const" in schema:
        return f"always {json.dumps(schema['const'], ensure_ascii=False)}"
    if isinstance(schema.get("enum"), Sequence):
        return f"one of {', '.join(str(each) for each in schema['enum'])}"
    kind = schema.get("type")
    if kind == "array":
        items = cast("object", schema.get("items"))
        of = (
            f" of {_type_name(cast('Schema', items), whole, depth + 1)}"
            if isinstance(items, Mapping)
            else ""
        )
        return f"list{of}"
    if isinstance(kind, list):
        return " or ".join(_NAMES.get(str(each), str(each)) for each in cast("list[Any]", kind))
    named = _NAMES.get(str(kind), str(kind or "anything"))
    return f"{named}, {schema['format']}" if "format" in schema else named


def _limits(schema: Schema) -> str:
    limits = [text.format(schema[name]) for name, text in _LIMITS.items() if name in schema]
    items = schema.get("items")
    if isinstance(items, Mapping):
        of_items = _limits(cast("Schema", items))
        limits += [f"each {of_items}"] if of_items else []
    return ", ".join(limits)


_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "object": "object",
    "null": "nothing",
}
_LIMITS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} letters",
    "maxLength": "at most {} letters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "like {}",
}
