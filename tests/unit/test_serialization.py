"""What cannot be stored is named: its channel, its place and its type."""

from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.serde import _msgpack
from pydantic import BaseModel

from penstock.checkpoints.saver.serialization import encode, strict_serializer
from penstock.contracts.errors import UnsafeDeserialization, UnstorableValue


@dataclass
class Order:
    number: int
    callback: object


class Basket(BaseModel):
    parts: list[Any]


def hook() -> None:
    """Stand for something that is no data."""


@pytest.mark.parametrize(
    ("value", "where", "type_"),
    [
        (hook, "state", "function"),
        (2**100, "state", "int"),
        ({"a": [1, {"b": hook}]}, "state['a'][1]['b']", "function"),
        ([1, 2, 2**100], "state[2]", "int"),
        ((1, hook), "state[1]", "function"),
        (Order(1, hook), "state.callback", "function"),
        (Basket(parts=[1, object()]), "state.parts[1]", "object"),
        (
            AIMessage("hi", additional_kwargs={"f": hook}),
            "state.additional_kwargs['f']",
            "function",
        ),
    ],
)
def test_the_innermost_part_that_cannot_be_stored_is_named(
    value: object, where: str, type_: str
) -> None:
    with pytest.raises(UnstorableValue) as caught:
        encode(strict_serializer(), "state", value)
    message = str(caught.value)
    assert message.startswith(f"channel `state` cannot be stored: `{where}` is of type `{type_}`")
    assert "\n" not in message


def test_the_search_for_the_culprit_ends_in_a_value_without_end() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UnstorableValue, match="channel `state`"):
        encode(strict_serializer(), "state", endless)


def test_plain_data_and_messages_come_back() -> None:
    serde = strict_serializer()
    value = {"n": 1, "text": "ü", "parts": [1.5, None, True], "said": AIMessage("hi", id="1")}
    assert serde.loads_typed(encode(serde, "state", value)) == value


def test_a_stored_value_never_runs_code_when_it_is_read() -> None:
    serde = strict_serializer()
    forged = encode(serde, "state", Order(1, None))
    assert serde.loads_typed(forged) == {"number": 1, "callback": None}


def test_without_langgraphs_strict_mode_nothing_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_msgpack, "STRICT_MSGPACK_ENABLED", False)
    with pytest.raises(UnsafeDeserialization, match="LANGGRAPH_STRICT_MSGPACK=true"):
        strict_serializer()
