"""Results of tools: written as JSON, and read back as they were.

A type whose values would not come back as they were is refused when the tool is declared. A tool
may also return LangGraph's `Command`, such as a hand-off to another agent. It is written as
LangGraph's checkpoints are, and LangGraph is imported only where one is seen.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from pydantic import ConfigDict, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import PydanticSerializationError

from penstock.contracts.errors import InvalidResult
from penstock.contracts.tool import JsonSchema

_NO_RETURN = {
    "callable": "a callable",
    "generator": "a generator or an iterable that can be read once",
    "is-instance": "a class that Pydantic does not know",
    "is-subclass": "a class itself",
}
"""Kinds of schema whose values cannot be read from JSON."""
_BYTES = ("ser_json_bytes", "val_json_bytes")
_NAMED = frozenset({"choices", "fields"})
_NOT_READ_FROM_JSON = frozenset({"python_schema", "strict_schema", "serialization", "metadata"})
R = TypeVar("R")
EXACT = ConfigDict(
    ser_json_bytes="base64",
    val_json_bytes="base64",
    ser_json_inf_nan="constants",
    hide_input_in_errors=True,
)
"""The configuration with which bytes and infinities survive JSON."""


class UnstorableType(Exception):
    """The values of a type would not come back as they were."""


class ResultCodec(Generic[R]):
    """Writes the results of one tool, and reads them back with their type.

    A caller always gets the value that was read back, so a replay gives the same.
    """

    def __init__(self, annotation: Any) -> None:
        """Make the codec of an annotation.

        Raises:
            UnstorableType: Its values would not come back as they were; the error says why.
        """
        try:
            self._adapter = TypeAdapter[Any](cast(Any, _Exact)[annotation])
        except (PydanticUserError, TypeError, NameError) as error:
            raise UnstorableType(str(error).partition("\n")[0]) from error
        problem = storage_problem(self._adapter)
        if problem is not None:
            raise UnstorableType(problem)

    @property
    def schema(self) -> JsonSchema:
        """The JSON Schema of a written result."""
        schema = self._adapter.json_schema(mode="serialization", by_alias=False)
        return {key: part for key, part in schema.items() if key != "title"}

    def dump(self, value: object) -> str:
        """Write a result.

        Raises:
            InvalidResult: It is not what the tool's annotation says.
        """
        try:
            accepted = self._adapter.validate_python(value, by_alias=False, by_name=True)
            text = self._adapter.dump_json(
                accepted, by_alias=False, round_trip=True, warnings="error"
            ).decode()
            self.load(text)
        except (ValidationError, PydanticSerializationError) as error:
            raise InvalidResult(
                f"The tool returned a `{type(value).__name__}`: {problems(error)}."
                " Return what its annotation says."
            ) from error
        return text

    def load(self, text: str) -> R:
        """Read a result that `dump` has written."""
        return self._adapter.validate_json(text, by_alias=False, by_name=True).root


def storage_problem(adapter: TypeAdapter[Any], *, allows_any: bool = False) -> str | None:
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


def problems(error: Exception) -> str:
    """Describe what is wrong with a value without showing it."""
    if not isinstance(error, ValidationError):
        return str(error).partition("\n")[0]
    return "; ".join(
        f"`{'.'.join(str(part) for part in each['loc']) or 'it'}`: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    )


def write_command(command: object) -> str:
    """Return a command as text.

    Raises:
        TypeError: It contains a value that a checkpoint could not store either.
    """
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer  # noqa: PLC0415  (slow)

    kind, data = JsonPlusSerializer(pickle_fallback=False).dumps_typed(command)
    return f"{kind}:{base64.b64encode(data).decode()}"


def read_command(text: str) -> object:
    """Return a command that `write_command` has written."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer  # noqa: PLC0415  (slow)

    kind, _, data = text.partition(":")
    return JsonPlusSerializer(pickle_fallback=False).loads_typed((kind, base64.b64decode(data)))


def is_command(result: object) -> bool:
    """Tell whether a result is a `Command`, or a list of them, as LangGraph recognises them."""
    several = cast("list[object]", result) if isinstance(result, list) else [result]
    return any(type(each).__module__ == "langgraph.types" for each in several)


def _problems(schema: Any, config: Mapping[str, Any], *, allows_any: bool) -> Iterator[str]:
    """Walk through the parts of a core schema that reading JSON goes through."""
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


class _Exact(RootModel[R], Generic[R]):
    """Any type, with a configuration that the dataclasses in it inherit."""

    model_config = EXACT
