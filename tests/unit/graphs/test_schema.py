"""The JSON schema of a graph's input."""

import operator
from collections.abc import Callable
from typing import Annotated, Any, NotRequired, TypedDict

from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel, Field

from penstock.graphs import declare, input_schema


def schema_of(state: Any, **more: Any) -> Any:
    """Return the input schema of a graph with this state."""
    builder: Any = StateGraph(state, **more)
    return input_schema(
        declare(builder.add_node("n", lambda _: {}).add_edge(START, "n"), name="it")
    )


class Place(BaseModel):
    """Where."""

    name: str


class Asked(TypedDict):
    """What is asked."""

    topic: str
    place: NotRequired[Place]
    others: NotRequired[list[Place]]


class Model(BaseModel):
    """A state that is a model."""

    topic: str = Field(description="What it is about.", min_length=2)
    count: int = 1
    log: Annotated[list[str], operator.add]


def test_a_typed_dict_is_described_with_its_types_once() -> None:
    class State(Asked):
        """More than is asked."""

    reference = {"$ref": "#/$defs/Place"}
    made = schema_of(State, input_schema=Asked)
    assert made["title"] == "it"
    assert made["required"] == ["topic"]
    assert made["additionalProperties"] is False
    assert made["properties"]["topic"] == {"type": "string"}
    assert made["properties"]["place"] == reference
    assert made["properties"]["others"] == {"type": "array", "items": reference}
    assert set(made["$defs"]) == {"Place"}


def test_a_state_requires_no_key() -> None:
    assert schema_of(Asked)["required"] == []


def test_a_model_keeps_what_it_says_of_its_fields() -> None:
    made = schema_of(Model)
    assert made["properties"]["topic"]["description"] == "What it is about."
    assert made["properties"]["count"]["default"] == 1
    assert made["required"] == ["topic"]


def test_messages_are_described() -> None:
    assert schema_of(MessagesState)["properties"]["messages"]["type"] == "array"


def test_a_type_that_cannot_be_described_may_be_anything() -> None:
    class Odd(TypedDict):
        odd: "type(operator)"  # pyright: ignore[reportInvalidTypeForm]
        call: "Callable[[], int]"

    assert schema_of(Odd)["properties"] == {"odd": {}, "call": {}}


def test_a_model_with_a_field_that_cannot_be_described_is_described_without_it() -> None:
    class Odd(BaseModel):
        call: Callable[[], int]
        topic: str

    assert schema_of(Odd)["properties"] == {"call": {}, "topic": {"type": "string"}}


def test_a_state_that_is_one_value_is_described_as_one() -> None:
    made = schema_of(Annotated[list[int], operator.add])
    assert made == {"title": "it", "type": "array", "items": {"type": "integer"}}
