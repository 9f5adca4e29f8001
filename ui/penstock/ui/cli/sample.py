"""A value that shows the form of a JSON Schema, for a person to change."""

from collections.abc import Mapping
from typing import Any, cast

UNKNOWN = "…"
"""Stands where the schema leaves open what is wanted."""

_DEPTH_LIMIT = 6
_PLAIN: Mapping[str, Any] = {"boolean": True, "integer": 0, "number": 0, "array": [], "null": None}


def sample(schema: object) -> Any:
    """Return a value like those that `schema` describes; it may have to be changed to fit."""
    return _sample(schema, schema, depth=0)


def _sample(schema: object, root: object, *, depth: int) -> Any:
    told, whole = _mapping(schema), _mapping(root)
    if not told or depth > _DEPTH_LIMIT:
        return UNKNOWN
    for key in ("default", "const"):
        if key in told:
            return told[key]
    choices: list[Any] = told.get("enum") or []
    if choices:
        return choices[0]
    inner = _inner(told, whole)
    if inner is not None:
        return _sample(inner, root, depth=depth + 1)
    if told.get("type") != "object":
        return _PLAIN.get(str(told.get("type")), UNKNOWN)
    parts = _mapping(told.get("properties"))
    wanted: list[str] = told.get("required") or list(parts)
    return {name: _sample(parts.get(name), root, depth=depth + 1) for name in wanted}


def _inner(told: Mapping[str, Any], whole: Mapping[str, Any]) -> object | None:
    """Return the schema that another one only points to."""
    if "$ref" in told:
        return _mapping(whole.get("$defs")).get(str(told["$ref"]).rpartition("/")[2], {})
    choices: list[Any] = told.get("anyOf") or told.get("oneOf") or []
    return choices[0] if choices else None


def _mapping(found: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], found) if isinstance(found, Mapping) else {}
