"""The arguments of a call: checked, in their canonical form, and the keys made of them.

A business key, such as `refund:{order_id}`, protects a call across runs.
"""

import hashlib
import inspect
import json
import string
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError

from penstock.contracts.call import Refused, Stage
from penstock.contracts.tool import JsonSchema
from penstock.nodes.tools.results import EXACT, problems, storage_problem
from penstock.nodes.tools.signature import Argument, Docstring, invalid

KeyMaker = str | Callable[..., str]
"""A template of the arguments' names, or a function that takes some of the arguments."""
_SHOWN = " @,+"
"""The characters of a value that are not quoted, beside letters, digits and `_.-~`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedArguments:
    """Arguments that fit their contract."""

    values: Mapping[str, object]
    """The typed values, by parameter, with which the function is called."""
    canonical: str
    """The JSON with sorted keys and all defaults. Checking it again gives the same."""


class Arguments(Protocol):
    """Checks the arguments of one tool."""

    @property
    def schema(self) -> JsonSchema:
        """The JSON Schema that a model is shown."""
        ...

    def check(self, arguments: Mapping[str, object]) -> CheckedArguments | Refused:
        """Check arguments, or refuse them with all that is wrong."""
        ...


class TypedArguments:
    """Arguments that a function's signature declares."""

    def __init__(
        self,
        function: Callable[..., object],
        *,
        name: str,
        docstring: Docstring,
        of: Sequence[Argument],
    ) -> None:
        """Make the model of a function's arguments.

        Raises:
            InvalidContract: One is of a type that calls cannot be recorded with.
        """
        self.model = _model(function, name=name, docstring=docstring, arguments=of)
        self._adapter = TypeAdapter(self.model)
        problem = storage_problem(self._adapter, allows_any=True) or _unordered(self.schema)
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

    def check(self, arguments: Mapping[str, object]) -> CheckedArguments | Refused:
        """Check arguments, or refuse them with all that is wrong."""
        try:
            model = self._read(arguments)
            canonical = self._write(model)
            if not _is_json(arguments):
                # The values of code become those that a replay would get: the same, read from JSON.
                model = self._adapter.validate_json(canonical, by_name=True)
        except (ValidationError, PydanticSerializationError, ValueError) as error:
            return invalid_arguments(problems(error))
        return CheckedArguments(values=dict(model.__dict__), canonical=canonical)

    def _read(self, arguments: Mapping[str, object]) -> BaseModel:
        # Bytes and dates are texts in JSON, which only the JSON mode reads back.
        text = _as_json(arguments)
        if text is None:
            return self._adapter.validate_python(dict(arguments), by_alias=True, by_name=True)
        return self._adapter.validate_json(text, by_alias=True, by_name=True)

    def _write(self, model: BaseModel) -> str:
        data = self._adapter.dump_python(
            model, mode="json", by_alias=False, round_trip=True, warnings="error"
        )
        return canonical_json(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessKey:
    """Makes the business keys of one tool's calls."""

    make: KeyMaker
    names: tuple[str, ...]
    """The arguments that the key is made of."""

    def of(self, values: Mapping[str, object]) -> str:
        """Return the key of a call with these arguments.

        A template's separators are quoted in the values, so that no two calls get one key by
        their punctuation.
        """
        named = {name: values[name] for name in self.names}
        if isinstance(self.make, str):
            shown = {name: quote(str(value), safe=_SHOWN) for name, value in named.items()}
            return self.make.format_map(shown)
        return self.make(**named)


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
    """Return the digest of a call's tool and arguments, in 64 hex digits."""
    return hashlib.sha256(canonical_json([name, major, canonical]).encode()).hexdigest()


def business_key(
    function: Callable[..., object], make: KeyMaker, *, arguments: Collection[str]
) -> BusinessKey:
    """Return what makes the business keys of a tool.

    Raises:
        InvalidContract: It names something that is no argument of the tool, or no argument.
    """
    names = _fields(function, make) if isinstance(make, str) else _parameters(function, make)
    unknown = [name for name in names if name not in arguments]
    if unknown or not names:
        listed = ", ".join(f"`{name}`" for name in arguments) or "none"
        found = f"`{unknown[0]}`" if unknown else "no argument at all"
        raise invalid(
            function, f"Its business key is made of {found}.", f"Its arguments are {listed}."
        )
    return BusinessKey(make=make, names=names)


def _model(
    function: Callable[..., object],
    *,
    name: str,
    docstring: Docstring,
    arguments: Sequence[Argument],
) -> type[BaseModel]:
    fields: dict[str, Any] = {
        each.name: (
            _described(each.annotation, docstring.arguments.get(each.name)),
            ... if each.is_required else each.default,
        )
        for each in arguments
    }
    config = {**EXACT, "extra": "forbid", "validate_default": True, "protected_namespaces": ()}
    try:
        with warnings.catch_warnings():
            # An argument may be named `copy` or `json`: nobody calls those methods here.
            warnings.filterwarnings("ignore", message="Field name .* shadows", category=UserWarning)
            model = create_model(
                name, __config__=cast(Any, config), __doc__=docstring.description, **fields
            )
    except (PydanticUserError, NameError, TypeError, ValueError) as error:
        raise invalid(
            function,
            f"Its arguments cannot be checked: {str(error).partition(chr(10))[0]}.",
            "Use types that Pydantic knows.",
        ) from error
    _refuse_aliases(function, model)
    _refuse_defaults(function, model, arguments)
    return model


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
    """Return the problem with a set: it has no order, so two equal calls would differ as JSON."""
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


def _as_json(arguments: Mapping[str, object]) -> str | None:
    try:
        return json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError):
        return None


def _is_json(arguments: Mapping[str, object]) -> bool:
    return _as_json(arguments) is not None


def _fields(function: Callable[..., object], template: str) -> tuple[str, ...]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise invalid(
            function,
            f"Its business key `{template}` is no template: {error}.",
            "Write one like `refund:{order_id}`.",
        ) from error
    for _, name, form, conversion in parsed:
        if name is not None and (form or conversion):
            raise invalid(
                function,
                f"Its business key formats `{name}`.",
                "Write the bare name in braces, or give a function of the arguments.",
            )
    return tuple(dict.fromkeys(name for _, name, _, _ in parsed if name is not None))


def _parameters(function: Callable[..., object], make: Callable[..., str]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(make).parameters)
    except ValueError as error:
        raise invalid(
            function,
            "What makes its business key does not say what it takes.",
            "Give a template, or a function of your own.",
        ) from error
