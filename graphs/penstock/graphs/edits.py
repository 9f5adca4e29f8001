"""Values that are to take the place of those of a graph's state, checked against its schema."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.contracts.errors import InvalidInput
from penstock.graphs.declare import Graph
from penstock.graphs.fields import Field, state_fields
from penstock.traces.hiding import HIDDEN


def read_edits(graph: Graph, edits: Mapping[str, JsonValue]) -> dict[str, Any]:
    """Return the values of channels as a checkpoint keeps them, by the channels' names.

    Each takes the place of the whole value: no reducer is asked. It is checked strictly, as JSON,
    against the type of its field; a type that Pydantic cannot check is not checked.

    Raises:
        InvalidInput: Lists all that is wrong with them.
    """
    known = {field.name: field for field in state_fields(graph.compiled)}
    problems: list[str] = []
    found: dict[str, Any] = {}
    for name, value in edits.items():
        if name not in known:
            fields = ", ".join(f"`{each}`" for each in known) or "none"
            problems.append(f"- `{name}`: is no field of the state that can be edited: {fields}")
        elif HIDDEN in json.dumps(value):
            problems.append(
                f"- `{name}`: holds `{HIDDEN}`, which stands for a value that nobody is shown;"
                " leave the field as it is"
            )
        else:
            found[name] = _read(known[name], value, problems)
    if problems:
        raise InvalidInput(
            "\n".join([f"The state of graph `{graph.name}` cannot be edited so:", *problems])
        )
    return found


def _read(field: Field, value: JsonValue, problems: list[str]) -> Any:
    from penstock.graphs.messages import UnreadableMessage, read_messages  # noqa: PLC0415  (half a second)

    if field.takes_messages:
        try:
            return read_messages(value)
        except UnreadableMessage as error:
            problems.append(f"- `{field.name}[{error.number}]`: is no message: {error}")
            return None
    try:
        return TypeAdapter[Any](field.hint).validate_json(json.dumps(value), strict=True)
    except PydanticUserError:  # such as a `typing.TypedDict` before Python 3.12
        return value
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            place = "".join(f".{part}" for part in each["loc"])
            problems.append(f"- `{field.name}{place}`: {each['msg']}")
        return None
