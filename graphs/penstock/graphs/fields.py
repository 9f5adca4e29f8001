"""What the input schema of a graph asks for, field by field.

LangGraph checks nothing of an input: it drops the fields that it does not know and fails in the
first node that misses one. What is asked here is what makes such a node fail, and no more:

- A field of a Pydantic model or a dataclass without a default is required, because LangGraph
  builds the model for the first node. So is a key of a TypedDict that says `Required`.
- The other keys of a TypedDict are required if the project wrote an `input_schema`. Where the state
  itself is the schema, or LangChain put one together, they are not: most of a state is filled in by
  the nodes.
- A channel that has a value from the start, as one with a reducer has, is never required.
- A reducer that is the project's own decides what it takes: the type of the field is what it
  makes of it, and is not asked for.
"""

import dataclasses
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NotRequired,
    Required,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel

if TYPE_CHECKING:
    from penstock.graphs.compiled import Compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an input."""

    name: str
    hint: Any
    """Its type, with the annotations that Pydantic reads; `Any` where anything may come."""
    is_required: bool
    """Whether a thread that has no state yet needs it."""
    takes_messages: bool
    start: tuple[object, ...]
    """The value its channel has from the start, if it has one: one or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An input of named fields."""

    fields: tuple[Field, ...]
    model: type[BaseModel] | None
    """The Pydantic model that LangGraph makes of the state, if that is its schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """An input that is one value: the state of the graph is no record, or it has no builder."""

    field: Field


def input_fields(compiled: "Compiled") -> Record | Single:
    """Return what the graph's input schema asks for."""
    builder: Any = getattr(compiled, "builder", None)
    if builder is None:
        return _of_channels(compiled)
    schema: Any = builder.input_schema
    channels: dict[str, Any] = builder.schemas[schema]
    if "__root__" in channels:
        return Single(field=_field("input", schema, channel=channels["__root__"], is_required=True))
    is_own = schema is not builder.state_schema and not _is_of_library(schema)
    fields = tuple(
        _field(name, hint, channel=channels[name], is_required=is_required)
        for name, hint, is_required in _declared(schema, is_own=is_own)
        if name in channels
    )
    return Record(fields=fields, model=_as_model(schema))


def state_fields(compiled: "Compiled") -> tuple[Field, ...]:
    """Return the fields of the graph's state whose values can be put in the place of others.

    Those are the ones that a checkpoint holds whole; there are none where the state is no record.
    """
    from langgraph.channels import BinaryOperatorAggregate, LastValue  # noqa: PLC0415  (half a second)

    from penstock.graphs.messages import takes_messages  # noqa: PLC0415  (likewise)

    builder: Any = getattr(compiled, "builder", None)
    if builder is None or "__root__" in builder.channels:
        return ()
    return tuple(
        Field(
            name=name,
            hint=hint,
            is_required=False,
            takes_messages=takes_messages(hint),
            start=(),
        )
        for name, hint, _ in _declared(builder.state_schema, is_own=False)
        if type(builder.channels.get(name)) in {BinaryOperatorAggregate, LastValue}
    )


def _of_channels(compiled: Any) -> Record | Single:
    """Describe the input of an `@entrypoint`, or of a `Pregel` made by hand."""
    names: str | list[str] = compiled.input_channels
    channels: dict[str, Any] = compiled.channels
    if isinstance(names, str):
        channel = channels[names]
        return Single(field=_field("input", channel.UpdateType, channel=channel, is_required=True))
    fields = (
        _field(name, channels[name].UpdateType, channel=channels[name], is_required=False)
        for name in names
    )
    return Record(fields=tuple(fields), model=None)


def _declared(schema: Any, *, is_own: bool) -> Iterator[tuple[str, object, bool]]:
    """Yield each field's name and type, and whether the schema asks for it."""
    hints = get_type_hints(schema, include_extras=True)
    model = _as_model(schema)
    if model is not None:
        for name, info in model.model_fields.items():
            yield name, hints.get(name, info.annotation), info.is_required()
    elif dataclasses.is_dataclass(schema):
        for field in dataclasses.fields(schema):
            has_default = field.default is not field.default_factory  # both are MISSING if not
            yield field.name, hints[field.name], not has_default
    else:
        required: frozenset[str] = getattr(schema, "__required_keys__", frozenset())
        for name, hint in hints.items():
            said, bare = _unwrapped(hint)
            # The set is wrong where annotations are strings, so what the key itself says counts.
            yield name, bare, (is_own and name in required if said is None else said)


def _is_of_library(schema: Any) -> bool:
    """Tell whether a schema is LangChain's work, as what `create_agent` makes of several is."""
    return getattr(schema, "__module__", "").partition(".")[0] in {"langchain", "langgraph"}


def _as_model(schema: Any) -> type[BaseModel] | None:
    return schema if isinstance(schema, type) and issubclass(schema, BaseModel) else None


def _unwrapped(hint: Any) -> tuple[bool | None, object]:
    """Take `Required` or `NotRequired` off a key's type, and return what it said."""
    origin = get_origin(hint)
    if origin in (Required, NotRequired):
        return origin is Required, get_args(hint)[0]
    metadata = getattr(hint, "__metadata__", None)
    if metadata and get_origin(inner := get_args(hint)[0]) in (Required, NotRequired):
        return get_origin(inner) is Required, Annotated[get_args(inner)[0], *metadata]
    return None, hint


def _field(name: str, hint: object, *, channel: Any, is_required: bool) -> Field:
    from penstock.graphs.messages import takes_messages  # noqa: PLC0415  (half a second)

    messages = takes_messages(hint)
    is_free = not messages and _has_own_reducer(channel)
    return Field(
        name=name,
        hint=Any if is_free else hint,
        is_required=is_required and not channel.is_available(),
        takes_messages=messages,
        start=(channel.get(),) if channel.is_available() else (),
    )


def _has_own_reducer(channel: Any) -> bool:
    """Tell whether a function of the project decides what becomes of a write to the channel."""
    reducer = getattr(channel, "operator", None) or getattr(channel, "reducer", None)
    return reducer is not None and getattr(reducer, "__module__", "") != operator.add.__module__
