"""Where and why an answer does not fit its schema, said about the choice that was meant."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from jsonschema.exceptions import ValidationError, relevance

WHY_CHARS = 500
"""What is said of a misfit at most: the answer itself may be part of it."""

_CHOICES = frozenset({"oneOf", "anyOf"})


def where_and_why(errors: Iterable[ValidationError]) -> tuple[str, str] | None:
    """Return the place of a misfit as a JSON path and what is wrong there; None if there is none.

    An answer that fits none of several shapes is held to the one whose `type` it has.
    """
    error = _first(errors)
    while error is not None and error.validator in _CHOICES and error.context:
        meant = _meant(error.context)
        if meant is None:
            return error.json_path, _not_a_choice(error)
        error = _first(meant)
    return None if error is None else (error.json_path, _why(error))


def _first(errors: Iterable[ValidationError]) -> ValidationError | None:
    key: Any = relevance
    return max(errors, key=key, default=None)


def _meant(misfits: Sequence[ValidationError]) -> Sequence[ValidationError] | None:
    """Return the errors of the only shape that was meant, if one was."""
    by_shape = [list(each) for _, each in groupby(misfits, key=lambda each: each.schema_path[0])]
    meant = [each for each in by_shape if all(_type_of(error) is None for error in each)]
    return meant[0] if len(meant) == 1 else None


def _type_of(error: ValidationError) -> str | None:
    """Return the `type` that a shape wants and the answer does not have."""
    path = [*error.relative_path]
    if error.validator == "const" and path[-1:] == ["type"]:
        return str(error.validator_value)
    if error.validator == "required" and "type" not in _mapping(error.instance):
        properties = _mapping(_mapping(error.schema).get("properties"))
        found = _mapping(properties.get("type")).get("const")
        return None if found is None else str(found)
    return None


def _not_a_choice(error: ValidationError) -> str:
    types = dict.fromkeys(_type_of(each) for each in error.context or ())
    named = [f"`{each}`" for each in types if each is not None]
    return f"its `type` must be one of {', '.join(named)}" if named else _why(error)


def _why(error: ValidationError) -> str:
    instance: object = error.instance
    if error.validator in {"minItems", "maxItems"} and isinstance(instance, list):
        found = len(cast("list[object]", instance))
        return f"{found} were given, and {error.validator_value} are wanted"
    message = error.message
    return message if len(message) <= WHY_CHARS else f"{message[:WHY_CHARS]}…"


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
