"""The arguments of a call: checked, and in one canonical form."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError

from penstock.contracts.call import Refused, Stage
from penstock.contracts.tool import JsonSchema
from penstock.nodes.tools.docstring import Docstring
from penstock.nodes.tools.place import invalid
from penstock.nodes.tools.results import EXACT, problems
from penstock.nodes.tools.signature import Argument
from penstock.nodes.tools.storable import problem_with


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Arguments that fit their contract."""

    values: Mapping[str, object]
    """By parameter, with their types; what the function is given."""
    canonical: str
    """As JSON, with sorted keys and all defaults. Checking it again gives the same."""


class Arguments(Protocol):
    """What checks the arguments of one tool."""

    @property
    def schema(self) -> JsonSchema:
        """The JSON Schema that a model is shown."""
        ...

    def check(self, given: Mapping[str, object]) -> Checked | Refused:
        """Check arguments, or refuse them with all that is wrong."""
        ...


class TypedArguments:
    """Arguments as a function's signature has them."""

    def __init__(
        self, function: Callable[..., object], *, name: str, told: Docstring, of: Sequence[Argument]
    ) -> None:
        """Make the model of a function's arguments.

        Raises:
            InvalidContract: One is of a type that calls cannot be recorded with.
        """
        self.model = _model(function, name=name, told=told, arguments=of)
        self._adapter = TypeAdapter(self.model)
        problem = problem_with(self._adapter, allows_any=True) or _unordered(self.schema)
        if problem is not None:
            raise invalid(
                function,
                f"Its arguments cannot be recorded: {problem}.",
                "Take what JSON can carry.",
            )

    @property
    def schema(self) -> JsonSchema:
        """The JSON Schema that a model is shown."""
        return self._adapter.json_schema()

    def check(self, given: Mapping[str, object]) -> Checked | Refused:
        """Check arguments, or refuse them with all that is wrong."""
        try:
            model = self._read(given)
            canonical = self._write(model)
            if not _is_json(given):
                # What code gives is made what a replay would be given: the same, from JSON.
                model = self._adapter.validate_json(canonical, by_name=True)
        except (ValidationError, PydanticSerializationError, ValueError) as error:
            return invalid_arguments(problems(error))
        return Checked(values=dict(model.__dict__), canonical=canonical)

    def _read(self, given: Mapping[str, object]) -> BaseModel:
        # Bytes and dates are text in JSON; only its own mode reads them as what they were.
        text = _as_json(given)
        if text is None:
            return self._adapter.validate_python(dict(given), by_alias=True, by_name=True)
        return self._adapter.validate_json(text, by_alias=True, by_name=True)

    def _write(self, model: BaseModel) -> str:
        plain = self._adapter.dump_python(
            model, mode="json", by_alias=False, round_trip=True, warnings="error"
        )
        return canonical_json(plain)


def invalid_arguments(found: str) -> Refused:
    """Return the refusal of arguments that do not fit."""
    return Refused(
        stage=Stage.CONTRACT, code="invalid_arguments", message=f"The arguments do not fit: {found}"
    )


def canonical_json(value: object) -> str:
    """Write plain data so that equal values are equal texts.

    Raises:
        ValueError: There is a number in it that JSON does not have.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(name: str, major: int, canonical: str) -> str:
    """Return what tells one call of a tool from another with other arguments."""
    return hashlib.sha256(canonical_json([name, major, canonical]).encode()).hexdigest()


def _model(
    function: Callable[..., object], *, name: str, told: Docstring, arguments: Sequence[Argument]
) -> type[BaseModel]:
    fields: dict[str, Any] = {
        each.name: (
            _described(each.annotation, told.arguments.get(each.name)),
            ... if each.is_required else each.default,
        )
        for each in arguments
    }
    config = {**EXACT, "extra": "forbid", "validate_default": True, "protected_namespaces": ()}
    try:
        with warnings.catch_warnings():
            # An argument may be named `copy` or `json`: nobody calls those methods here.
            warnings.filterwarnings("ignore", message="Field name .* shadows", category=UserWarning)
            made = create_model(
                name, __config__=cast(Any, config), __doc__=told.description, **fields
            )
    except (PydanticUserError, NameError, TypeError, ValueError) as error:
        raise invalid(
            function,
            f"Its arguments cannot be checked: {str(error).partition(chr(10))[0]}.",
            "Use types that Pydantic knows.",
        ) from error
    _refuse_aliases(function, made)
    _refuse_defaults(function, made, arguments)
    return made


def _described(annotation: Any, description: str | None) -> Any:
    return annotation if not description else Annotated[annotation, Field(description=description)]


def _refuse_aliases(function: Callable[..., object], model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if field.alias or field.validation_alias or field.serialization_alias:
            raise invalid(
                function, f"Its argument `{name}` has an alias.", "Name the parameter so itself."
            )


def _refuse_defaults(
    function: Callable[..., object], model: type[BaseModel], arguments: Sequence[Argument]
) -> None:
    checker = TypeAdapter(model).validator
    for each in arguments:
        if each.is_required or model.model_fields[each.name].is_required():
            continue
        try:
            checker.validate_assignment(model.model_construct(), each.name, _default(model, each))
        except ValidationError as error:
            raise invalid(
                function,
                f"The default of `{each.name}` is not of its type: {problems(error)}.",
                "Correct one of them.",
            ) from error


def _default(model: type[BaseModel], argument: Argument) -> object:
    return model.model_fields[argument.name].get_default(
        call_default_factory=True, validated_data={}
    )


def _unordered(schema: object) -> str | None:
    """Find a set: it has no order, so two equal calls would be written differently."""
    if isinstance(schema, Mapping):
        found = cast(Mapping[str, object], schema)
        if found.get("uniqueItems") is True:
            return "a set has no order by which to know two equal calls; take a list"
        parts: Sequence[object] = list(found.values())
    elif isinstance(schema, list):
        parts = cast(list[object], schema)
    else:
        return None
    return next((problem for part in parts if (problem := _unordered(part))), None)


def _as_json(given: Mapping[str, object]) -> str | None:
    try:
        return json.dumps(dict(given), allow_nan=False)
    except (TypeError, ValueError):
        return None


def _is_json(given: Mapping[str, object]) -> bool:
    return _as_json(given) is not None
