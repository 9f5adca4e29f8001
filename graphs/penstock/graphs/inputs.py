"""Checking the input of a run, and edits of its state, against the schema of its graph."""

import dataclasses
import difflib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.contracts.errors import InvalidInput
from penstock.contracts.redaction import HIDDEN
from penstock.graphs.declaration import Graph
from penstock.graphs.fields import Field, Record, Single, input_fields, state_fields

ANYTHING = TypeAdapter[object](object)


def validate_input(graph: Graph, value: object, *, continues: bool = False) -> JsonValue:
    """Check an input, and return it as the plain data to queue and to give to the graph.

    It is returned as it was given: nothing is coerced, and no default is filled in, because on a
    thread that goes on a default would take the place of what the thread knows. Messages become
    dictionaries that LangChain reads; an instance of the schema becomes the fields that were set.
    Other objects are refused unless the schema is a Pydantic model, which reads them back.

    Fields that the graph does not have are refused, because LangGraph would drop them silently. A
    type that Pydantic cannot check is not checked. `penstock.graphs.fields` says what is required;
    nothing is, where the run `continues` a thread that has a state.

    Raises:
        InvalidInput: Lists all that is wrong with it.
    """
    wanted = input_fields(graph.compiled)
    problems = _Problems()
    match wanted:
        case Single(field=field):
            plain = _plain(value, field.name, problems, model=None)
            if not problems:
                _check(field, plain, problems)
        case Record():
            plain = _check_record(wanted, value, problems, continues=continues)
    if problems:
        raise InvalidInput("\n".join([f"Graph `{graph.name}` cannot take this input:", *problems]))
    return plain


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


class _Problems(list[str]):
    """What is wrong, one line each."""

    def add(self, path: str, text: str) -> None:
        self.append(f"- `{path}`: {text}")


def _check_record(
    record: Record, value: object, problems: _Problems, *, continues: bool
) -> JsonValue:
    given = _items(value)
    known = {field.name: field for field in record.fields}
    if given is None:
        fields = ", ".join(f"`{name}`" for name in known)
        problems.append(f"- it should be an object with fields of {fields}, not {_kind(value)}")
        return None
    for name in given:
        if name not in known:
            problems.add(str(name), f"is no field of the input{_near(str(name), known)}")
    if not continues:
        for field in record.fields:
            if field.is_required and field.name not in given:
                problems.add(field.name, "is missing")
    plain: dict[str, JsonValue] = {}
    for name in known.keys() & given.keys():
        before = len(problems)
        plain[name] = _plain(given[name], name, problems, model=record.model)
        if len(problems) == before and (record.model is None or known[name].takes_messages):
            _check(known[name], plain[name], problems)
    if record.model is not None and not problems:
        _check_model(record.model, plain, known, problems, continues=continues)
    return {name: plain[name] for name in given if name in plain}


def _items(value: object) -> Mapping[str, object] | None:
    """Return the fields of an input, whether it is a dictionary or an instance of the schema."""
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in value.model_fields_set}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _plain(value: object, path: str, problems: _Problems, *, model: object) -> JsonValue:
    """Return a value as JSON would carry it; what JSON cannot carry is a problem."""
    from penstock.graphs.messages import is_message, message_to_json  # noqa: PLC0415  (half a second)

    found = value  # as it is, whatever the checks below make of its type
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list | tuple):
        items = enumerate(cast(Iterable[object], value))
        return [_plain(item, f"{path}[{at}]", problems, model=model) for at, item in items]
    if isinstance(value, dict):
        pairs = cast(dict[object, object], value).items()
        if all(isinstance(key, str) for key, _ in pairs):
            return {
                str(key): _plain(item, f"{path}.{key}", problems, model=model)
                for key, item in pairs
            }
    if is_message(found):
        return _plain(message_to_json(found), path, problems, model=model)
    if model is None:
        return _refuse(found, path, problems)
    return ANYTHING.dump_python(
        found, mode="json", fallback=lambda part: _refuse(part, path, problems)
    )


def _refuse(value: object, path: str, problems: _Problems) -> None:
    problems.add(path, f"{_kind(value)} cannot be queued: give it as JSON would have it")


def _check(field: Field, plain: JsonValue, problems: _Problems) -> None:
    """Check one value against its type, strictly, as JSON: LangGraph will not coerce it either."""
    if field.takes_messages:
        _check_messages(field, plain, problems)
        return
    try:
        TypeAdapter[object](field.hint).validate_json(json.dumps(plain), strict=True)
    except PydanticUserError:  # such as a `typing.TypedDict` before Python 3.12
        return
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            problems.add(_path(field.name, problem["loc"]), _told(problem))


def _check_messages(field: Field, plain: JsonValue, problems: _Problems) -> None:
    from penstock.graphs.messages import UnreadableMessage, read_messages  # noqa: PLC0415  (half a second)

    try:
        read_messages(plain)
    except UnreadableMessage as error:
        place = f"{field.name}[{error.number}]" if isinstance(plain, list) else field.name
        problems.add(place, f"is no message: {error}")


def _check_model(
    model: type[BaseModel],
    plain: Mapping[str, JsonValue],
    known: Mapping[str, Field],
    problems: _Problems,
    *,
    continues: bool,
) -> None:
    """Make the model as LangGraph will; what is missing, or free, was dealt with before."""
    from penstock.graphs.messages import read_messages  # noqa: PLC0415  (half a second)

    # The reducer of a channel of messages hands the model messages, whatever form they came in.
    made = {field.name: value for field in known.values() for value in field.start} | {
        name: read_messages(value) if known[name].takes_messages else value
        for name, value in plain.items()
    }
    try:
        model.model_validate(made)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            if continues and not problem["loc"]:
                continue  # the thread's state has a part in it
            first, *rest = problem["loc"] or ("input",)
            is_missing = problem["type"] == "missing" and not rest
            is_free = first in known and known[str(first)].hint is Any
            if not is_missing and not is_free:
                problems.add(_path(str(first), rest), _told(problem))


def _told(problem: Mapping[str, Any]) -> str:
    """Say what Pydantic found in words, without showing the value."""
    if problem["type"] == "missing":
        return "is missing"
    text = problem["msg"].removeprefix("Input ")
    return f"{text}, not {_kind(problem['input'])}" if text.startswith("should be") else text


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a `{type(value).__name__}`"


def _path(name: str, location: Iterable[int | str]) -> str:
    return name + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    fields = ", ".join(f"`{field}`" for field in names)
    return f": did you mean `{near[0]}`?" if near else f", which are {fields}"


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
