"""Serialization of LangGraph's values, with an error that names the part that has no form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

from langgraph.checkpoint.serde import _msgpack
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from penstock.contracts.errors import UnsafeDeserialization, UnstorableValue

_SEARCH_LIMIT = 10_000
"""How many parts of a value are looked at to find the one that cannot be stored."""


def strict_serializer() -> JsonPlusSerializer:
    """Return a serializer that never runs what it reads.

    Raises:
        UnsafeDeserialization: LangGraph was imported without its strict mode. A serializer of our
            own alone would be safe, but compiled graphs would then not say which of their types
            it may restore, and these would come back as plain dictionaries.
    """
    if not _msgpack.STRICT_MSGPACK_ENABLED:
        msg = (
            "LangGraph runs without strict deserialization, so whoever can write to the store"
            " could run code here; set the environment variable `LANGGRAPH_STRICT_MSGPACK=true`"
            " before anything imports `langgraph`"
        )
        raise UnsafeDeserialization(msg)
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)


def encode(serde: SerializerProtocol, channel: str, value: object) -> tuple[str, bytes]:
    """Return the type and bytes of a channel's value.

    Raises:
        UnstorableValue: some part of it has no serialised form; the message says where.
    """
    try:
        return serde.dumps_typed(value)
    except Exception as error:
        where, found = _culprit(serde, channel, value)
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = (
            f"channel `{channel}` cannot be stored: `{where}` is of type `{found}` ({reason}); keep"
            " plain data in the graph's state (text, numbers of up to 64 bits, lists,"
            " dictionaries, messages, dataclasses, Pydantic models)"
        )
        raise UnstorableValue(msg) from error


def _culprit(serde: SerializerProtocol, channel: str, value: object) -> tuple[str, str]:
    """Find the innermost part that cannot be serialised: its path and its type."""
    where, found, looked = channel, value, 0
    descended = True
    while descended:
        descended = False
        for step, part in _parts(found):
            looked += 1
            if looked > _SEARCH_LIMIT:
                break
            if not _is_storable(serde, part):
                where, found, descended = where + step, part, True
                break
    return where, type(found).__name__


def _is_storable(serde: SerializerProtocol, value: object) -> bool:
    try:
        serde.dumps_typed(value)
    except Exception:
        return False
    return True


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, part in cast("Mapping[Any, object]", value).items():
            yield f"[{key!r}]", part
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for index, part in enumerate(cast("Sequence[object]", value)):
            yield f"[{index}]", part
    elif is_dataclass(value):
        for field in fields(value):
            yield f".{field.name}", getattr(value, field.name)
    elif hasattr(value, "model_fields_set"):
        for name, part in vars(value).items():
            yield f".{name}", part
