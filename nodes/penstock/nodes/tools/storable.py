"""Which types can be written as JSON and come back as they were."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

_NO_RETURN = {
    "callable": "a callable",
    "generator": "a generator or an iterable that can be read once",
    "is-instance": "a class that Pydantic does not know",
    "is-subclass": "a class itself",
}
"""Kinds of schema that nothing in JSON can be turned into."""

_BYTES = ("ser_json_bytes", "val_json_bytes")
_NAMED = frozenset({"choices", "fields"})
_NOT_READ_FROM_JSON = frozenset({"python_schema", "strict_schema", "serialization", "metadata"})


def problem_with(adapter: TypeAdapter[Any], *, allows_any: bool = False) -> str | None:
    """Return why values of a type do not survive being stored, or None when they do."""
    problem = next(_problems(adapter.core_schema, {}, allows_any=allows_any), None)
    if problem is not None:
        return problem
    try:
        adapter.json_schema(mode="validation")
        adapter.json_schema(mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        return str(error).partition("\n")[0]
    return None


def _problems(schema: Any, config: Mapping[str, Any], *, allows_any: bool) -> Iterator[str]:
    """Walk through a core schema along what reading JSON would go through."""
    if isinstance(schema, list | tuple):
        for part in cast(list[object], schema):
            yield from _problems(part, config, allows_any=allows_any)
        return
    if not isinstance(schema, dict):
        return
    node = cast(dict[str, Any], schema)
    kind = node.get("type")
    if kind == "json-or-python" and _kind(node["json_schema"]) == "any":
        # `JsonValue`: whatever JSON may hold, each of which is itself.
        return
    if kind == "lax-or-strict":
        yield from _problems(node["lax_schema"], config, allows_any=allows_any)
        return
    yield from _of_node(kind, node, config, allows_any=allows_any)
    inner = {**config, **cast(Mapping[str, Any], node.get("config") or {})}
    if kind == "model":
        inner = cast(dict[str, Any], node.get("config") or {})
    for key, part in node.items():
        if key in _NOT_READ_FROM_JSON:
            continue
        if key in _NAMED and isinstance(part, dict):
            # Their keys are an author's names, of which one may be `metadata`.
            part = list(cast(dict[str, object], part).values())  # noqa: PLW2901
        yield from _problems(part, inner, allows_any=allows_any)


def _of_node(
    kind: object, node: Mapping[str, Any], config: Mapping[str, Any], *, allows_any: bool
) -> Iterator[str]:
    if kind == "any" and not allows_any:
        yield "`Any` or `object` says nothing of what comes back; `JsonValue` of Pydantic does"
    if kind == "bytes" and not _is_own(node) and {config.get(key) for key in _BYTES} != {"base64"}:
        yield (
            "a model's bytes are stored as UTF-8, which they may not be; set `ser_json_bytes` and"
            ' `val_json_bytes` to "base64" in its config'
        )
    if isinstance(kind, str) and kind in _NO_RETURN:
        yield f"{_NO_RETURN[kind]} cannot be stored"
    if node.get("serialization_exclude") is True:
        yield "a field of it is excluded from what is stored"


def _is_own(node: Mapping[str, Any]) -> bool:
    return "serialization" in node


def _kind(schema: Any) -> object:
    return cast(dict[str, Any], schema).get("type") if isinstance(schema, dict) else None
