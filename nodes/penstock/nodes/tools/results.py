"""Results as JSON, and back to what they were."""

from typing import Any, Generic, TypeVar, cast

from pydantic import ConfigDict, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError

from penstock.contracts.errors import InvalidResult
from penstock.contracts.tool import JsonSchema
from penstock.nodes.tools.storable import problem_with

R = TypeVar("R")

EXACT = ConfigDict(
    ser_json_bytes="base64",
    val_json_bytes="base64",
    ser_json_inf_nan="constants",
    hide_input_in_errors=True,
)
"""How JSON is written so that bytes and infinities come back."""


class _Exact(RootModel[R], Generic[R]):
    """Any type, with a configuration, which the dataclasses in it inherit."""

    model_config = EXACT


class UnstorableType(Exception):
    """A type's values would not come back as they were."""


class ResultCodec(Generic[R]):
    """Writes the results of one tool, and reads them back with their type.

    What a caller is given is always what was read back, so a replay gives the same.
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
        problem = problem_with(self._adapter)
        if problem is not None:
            raise UnstorableType(problem)

    @property
    def schema(self) -> JsonSchema:
        """The JSON Schema of what is written."""
        told = self._adapter.json_schema(mode="serialization", by_alias=False)
        return {key: part for key, part in told.items() if key != "title"}

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


def problems(error: Exception) -> str:
    """Say what is wrong with a value without showing it."""
    if not isinstance(error, ValidationError):
        return str(error).partition("\n")[0]
    return "; ".join(
        f"`{'.'.join(str(part) for part in each['loc']) or 'it'}`: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    )
