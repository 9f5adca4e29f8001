"""The JSON schema of a graph's input, for forms and for clients in other languages.

LangGraph's own fails before Python 3.12 for the `TypedDict` of `typing`, in which most states are
written, and calls every key required.
"""

from dataclasses import replace
from typing import Any, Literal

from pydantic import JsonValue, TypeAdapter
from pydantic.errors import PydanticUserError

from penstock.graphs.declaration import Graph
from penstock.graphs.fields import Field, Record, Single, input_fields, state_fields

Keyed = tuple[str, Literal["validation"], TypeAdapter[Any]]


def input_schema(graph: Graph) -> dict[str, JsonValue]:
    """Return the JSON schema of what a run on a new thread takes.

    A field whose type Pydantic cannot describe may be anything in it. `validate_input` has the last
    word: it knows the forms that messages may have, and a model's own validators.
    """
    wanted = input_fields(graph.compiled)
    if isinstance(wanted, Single):
        return {"title": graph.name, **_adapter(wanted.field).json_schema()}
    required: list[JsonValue] = [field.name for field in wanted.fields if field.is_required]
    return {
        **(_of_model(wanted) or _of_fields(wanted)),
        "title": graph.name,
        "required": required,
        "additionalProperties": False,
    }


def state_schema(graph: Graph) -> dict[str, JsonValue]:
    """Return the JSON schema of the fields of a graph's state that can be edited.

    Messages may be anything in it; `read_edits` has the last word.
    """
    fields = [
        replace(field, hint=Any) if field.takes_messages else field
        for field in state_fields(graph.compiled)
    ]
    record = Record(fields=tuple(fields), model=None)
    return {**_of_fields(record), "title": graph.name, "additionalProperties": False}


def _of_model(record: Record) -> dict[str, Any] | None:
    """Describe a Pydantic model in its own words; None when it cannot be described whole."""
    try:
        return record.model.model_json_schema() if record.model is not None else None
    except PydanticUserError:
        return None


def _of_fields(record: Record) -> dict[str, Any]:
    """Describe field by field; the types that several share are described once."""
    keyed: list[Keyed] = [(field.name, "validation", _adapter(field)) for field in record.fields]
    described, shared = TypeAdapter.json_schemas(keyed)
    properties = {name: schema for (name, _), schema in described.items()}
    return {"type": "object", "properties": properties, **shared}


def _adapter(field: Field) -> TypeAdapter[Any]:
    """Return what describes a field's type; what cannot be described may be anything."""
    try:
        adapter = TypeAdapter[Any](field.hint)
        adapter.json_schema()
    except PydanticUserError:
        return TypeAdapter(Any)
    return adapter
