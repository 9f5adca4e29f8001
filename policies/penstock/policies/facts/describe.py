"""Facts and the tool that has them: whether they fit, and what its contract says of them."""

from collections.abc import Iterator, Mapping
from typing import cast

from penstock.contracts.policy import Fact
from penstock.contracts.tool import JsonSchema
from penstock.policies.facts.extractor import Extractor


def describe(extractor: Extractor, schema: JsonSchema, *, fills_defaults: bool) -> Fact:
    """Return what a contract says of a fact.

    Args:
        extractor: What computes it.
        schema: Of the tool's arguments.
        fills_defaults: Whether an argument that was not given is there with its default.
    """
    fields, required = _fields(schema), cast("list[str]", schema.get("required") or [])

    def is_there(name: str) -> bool:
        field = fields.get(name, {})
        filled = fills_defaults and field.get("default") is not None
        return (name in required or filled) and "null" not in set(_types(field, schema))

    is_optional = not all(is_there(each.name) for each in extractor.takes)
    return Fact(type=extractor.kind, is_optional=is_optional, description=extractor.description)


def problems_with(extractor: Extractor, schema: JsonSchema) -> tuple[tuple[str, str], ...]:
    """Return what does not fit, each as what was found and what is wanted."""
    fields = _fields(schema)
    found: list[tuple[str, str]] = []
    for taken in extractor.takes:
        if taken.name not in fields:
            listed = ", ".join(f"`{name}`" for name in fields) or "none"
            found.append((f"takes `{taken.name}`", f"Its arguments are {listed}."))
            continue
        types = set(_types(fields[taken.name], schema)) - {"null"}
        if taken.types and types - taken.types:
            wanted = " or ".join(sorted(taken.types))
            given = " or ".join(sorted(types))
            found.append(
                (f"takes `{taken.name}`, which is {given}", f"Wanted is {wanted}; name another.")
            )
    return tuple(found)


def _fields(schema: JsonSchema) -> Mapping[str, JsonSchema]:
    properties = cast("Mapping[str, object]", schema.get("properties") or {})
    return {
        name: cast(JsonSchema, each) if isinstance(each, Mapping) else {}
        for name, each in properties.items()
    }


def _types(node: JsonSchema, root: JsonSchema, depth: int = 0) -> Iterator[str]:
    """Return JSON Schema's names of what a field may be; `anything` where it does not say."""
    options = [each for key in ("anyOf", "oneOf", "allOf") for each in _list(node, key)]
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    referred = cast("Mapping[str, object]", root.get("$defs") or {}).get(name)
    if isinstance(referred, Mapping):
        options.append(cast(JsonSchema, referred))
    values = _list(node, "enum") or ([node["const"]] if "const" in node else [])
    if options and depth < _DEEPEST:
        for each in options:
            yield from _types(cast(JsonSchema, each), root, depth + 1)
    elif "type" in node:
        for each in _list(node, "type") or [node["type"]]:
            yield from _typed(each, node, root, depth)
    elif values:
        yield from (_NAMES.get(type(value), "anything") for value in values)
    else:
        yield "anything"


_DEEPEST = 8
_NAMES: Mapping[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _typed(name: object, node: JsonSchema, root: JsonSchema, depth: int) -> Iterator[str]:
    items = node.get("items")
    if name != "array" or not isinstance(items, Mapping) or depth >= _DEEPEST:
        yield str(name)
        return
    for each in _types(cast(JsonSchema, items), root, depth + 1):
        yield f"array of {each}"


def _list(node: JsonSchema, key: str) -> list[object]:
    found = node.get(key)
    return list(cast("list[object]", found)) if isinstance(found, list) else []
