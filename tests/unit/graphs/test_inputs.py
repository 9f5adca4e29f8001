"""What an input may be, what is returned of it, and how it is refused."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict

import pytest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    ToolMessage,
    convert_to_messages,
)
from langgraph.channels import DeltaChannel, LastValue
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.pregel import NodeBuilder, Pregel
from pydantic import BaseModel, Field, field_validator, model_validator

from penstock.contracts.errors import InvalidInput
from penstock.graphs import declare, validate_input
from penstock.graphs.declaration import Graph


def graph_of(schema: Any, **more: Any) -> Graph:
    """Declare a graph with this schema of its state."""
    builder: Any = StateGraph(schema, **more)
    return declare(builder.add_node("n", lambda _: {}).add_edge(START, "n"), name="it")


def refusal(graph: Graph, value: object, **more: Any) -> list[str]:
    """Return what is said against an input, line by line."""
    with pytest.raises(InvalidInput) as refused:
        validate_input(graph, value, **more)
    first, *lines = str(refused.value).splitlines()
    assert first == "Graph `it` cannot take this input:"
    return lines


def last(left: list[int], right: list[int] | int) -> list[int]:
    """Reduce as a project may: one, or several."""
    return [*left, *(right if isinstance(right, list) else [right])]


def extend(left: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    """Reduce what a `DeltaChannel` was given."""
    return [*left, *(part for write in writes for part in write)]


class State(TypedDict):
    """The state of most graphs: what comes in, and what nodes add."""

    topic: str
    count: int
    tags: NotRequired[list[str]]
    log: Annotated[list[str], operator.add]


class Asked(TypedDict):
    """An input schema of its own."""

    topic: str
    deep: NotRequired[bool]
    log: Annotated[list[str], operator.add]


class Chat(TypedDict):
    """Messages in the ways that projects keep them."""

    messages: Annotated[list[AnyMessage], add_messages]
    summed: Annotated[list[BaseMessage], operator.add]
    kept: Annotated[list[AnyMessage], DeltaChannel(extend)]
    one: AnyMessage


class Model(BaseModel):
    """A state that is a Pydantic model."""

    topic: str = Field(min_length=2)
    when: date = date(2020, 1, 1)
    messages: Annotated[list[AnyMessage], add_messages]
    numbers: Annotated[list[int], last] = []

    @field_validator("topic")
    @classmethod
    def _polite(cls, value: str) -> str:
        if value == "damn":
            raise ValueError("mind your words")
        return value

    @model_validator(mode="after")
    def _whole(self) -> "Model":
        if self.topic == "future" and self.when.year < 2030:
            raise ValueError("that was not the future")
        return self


@dataclass
class Data:
    """A state that is a dataclass."""

    topic: str
    count: int = 1
    log: list[str] = field(default_factory=list[str])


ASKED = graph_of(State, input_schema=Asked)
PLAIN = graph_of(State)
MODEL = graph_of(Model)
DATA = graph_of(Data)
CHAT = graph_of(Chat)


@pytest.mark.parametrize("value", [{}, {"topic": "rain"}, {"topic": "rain", "log": ["a"]}])
def test_keys_of_a_state_that_nodes_may_fill_are_not_required(value: Any) -> None:
    assert validate_input(PLAIN, value) == value


def test_keys_of_an_input_schema_are_required_unless_they_have_a_value_from_the_start() -> None:
    assert refusal(ASKED, {}) == ["- `topic`: is missing"]


def test_keys_of_a_schema_that_langchain_put_together_are_not_required() -> None:
    made: Any = TypedDict("made", {"topic": str, "said": Required[str]})
    made.__module__ = "langchain.agents.factory"
    assert refusal(graph_of(State, input_schema=made), {}) == ["- `said`: is missing"]


def test_a_key_that_says_required_is_required_in_a_state_too() -> None:
    class Said(TypedDict):
        topic: Required[str]
        count: int

    assert refusal(graph_of(Said), {}) == ["- `topic`: is missing"]


def test_a_key_that_says_so_inside_its_annotations_is_heard() -> None:
    class Said(TypedDict):
        topic: Annotated[NotRequired[str], "a note"]  # pyright: ignore[reportInvalidTypeForm]
        count: Annotated[Required[int], "a note"]  # pyright: ignore[reportInvalidTypeForm]

    assert refusal(graph_of(Said), {}) == ["- `count`: is missing"]


@pytest.mark.parametrize("graph", [MODEL, DATA])
def test_a_field_without_a_default_is_required(graph: Graph) -> None:
    assert refusal(graph, {}) == ["- `topic`: is missing"]


@pytest.mark.parametrize("graph", [ASKED, MODEL, DATA])
def test_nothing_is_required_where_a_thread_goes_on(graph: Graph) -> None:
    assert validate_input(graph, {}, continues=True) == {}


def test_no_default_is_filled_in() -> None:
    assert validate_input(DATA, {"topic": "rain"}) == {"topic": "rain"}
    assert validate_input(MODEL, {"topic": "rain"}) == {"topic": "rain"}


def test_an_unknown_field_is_refused_with_the_nearest() -> None:
    assert refusal(PLAIN, {"tpoic": "rain"}) == [
        "- `tpoic`: is no field of the input: did you mean `topic`?"
    ]


def test_an_unknown_field_like_none_is_answered_with_all() -> None:
    assert refusal(ASKED, {"topic": "rain", "zzz": 1}) == [
        "- `zzz`: is no field of the input, which are `topic`, `deep`, `log`"
    ]


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    assert sorted(refusal(PLAIN, {"topic": 3, "count": "3", "log": ["a", None], "x": 1})) == [
        "- `count`: should be a valid integer, not text",
        "- `log[1]`: should be a valid string, not null",
        "- `topic`: should be a valid string, not a number",
        "- `x`: is no field of the input, which are `topic`, `count`, `tags`, `log`",
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (3, "a number"), ("a", "text"), ([1], "a list"), (True, "true or false")],
)
def test_what_is_no_object_is_refused(value: object, kind: str) -> None:
    fields = "`topic`, `count`, `tags`, `log`"
    assert refusal(PLAIN, value) == [
        f"- it should be an object with fields of {fields}, not {kind}"
    ]


class Inner(BaseModel):
    """A type inside of a state."""

    kind: Literal["a", "b"]
    on: date
    sizes: tuple[int, ...] = ()


class Nesting(TypedDict):
    """A state with a type of its own in it."""

    inner: dict[str, Inner]


def test_types_inside_are_checked_as_json_has_them() -> None:
    value = {"inner": {"x": {"kind": "a", "on": "2026-01-31", "sizes": [1]}}}
    assert validate_input(graph_of(Nesting), value) == value


def test_a_problem_inside_is_named_by_its_path() -> None:
    value: Any = {"inner": {"x": {"kind": "c", "sizes": {}}}}
    assert sorted(refusal(graph_of(Nesting), value)) == [
        "- `inner.x.kind`: should be 'a' or 'b', not text",
        "- `inner.x.on`: is missing",
        "- `inner.x.sizes`: should be a valid array, not an object",
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [({1}, "a `set`"), (date(2026, 1, 1), "a `date`"), (float("nan"), "a number")],
)
def test_what_json_cannot_carry_is_refused(value: object, kind: str) -> None:
    assert refusal(PLAIN, {"tags": [value]}) == [
        f"- `tags[0]`: {kind} cannot be queued: give it as JSON would have it"
    ]


def test_a_dictionary_with_keys_that_are_no_text_is_refused() -> None:
    assert "an object cannot be queued" in refusal(PLAIN, {"topic": {1: 2}})[0]


def test_numbers_are_numbers() -> None:
    class Measured(TypedDict):
        height: float

    assert validate_input(graph_of(Measured), {"height": 1.5}) == {"height": 1.5}
    assert validate_input(graph_of(Measured), {"height": 2}) == {"height": 2}


def test_a_tuple_is_a_list() -> None:
    assert validate_input(PLAIN, {"log": ("a", "b")}) == {"log": ["a", "b"]}


def test_a_reducer_of_the_projects_own_decides_what_it_takes() -> None:
    class Reduced(TypedDict):
        numbers: Annotated[list[int], last]

    assert validate_input(graph_of(Reduced), {"numbers": 3}) == {"numbers": 3}


def test_a_type_that_pydantic_cannot_check_is_not_checked() -> None:
    class Odd(TypedDict):
        odd: "type(operator)"  # pyright: ignore[reportInvalidTypeForm]

    assert validate_input(graph_of(Odd), {"odd": {"any": 1}}) == {"odd": {"any": 1}}


@pytest.mark.parametrize("name", ["messages", "summed", "kept", "one"])
@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "hi"},
        {"type": "human", "content": [{"type": "text", "text": "hi"}]},
        ["user", "hi"],
        "hi",
    ],
)
def test_a_message_may_have_any_form_that_langchain_reads(name: str, message: Any) -> None:
    given: list[Any] = [message]
    value: dict[str, Any] = {
        name: message if name == "one" and isinstance(message, dict) else given
    }
    assert validate_input(CHAT, value) == value


def test_a_single_message_stands_for_a_list() -> None:
    assert validate_input(CHAT, {"messages": "hi"}) == {"messages": "hi"}


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("hi", id="1", name="me", additional_kwargs={"k": 1}),
        AIMessage(
            "", tool_calls=[{"name": "t", "args": {"a": [1]}, "id": "c", "type": "tool_call"}]
        ),
        ToolMessage("done", tool_call_id="c", status="error", artifact={"x": 1}),
        RemoveMessage(id="1"),
    ],
)
def test_a_message_object_becomes_a_dictionary_that_is_read_as_the_same(message: Any) -> None:
    returned: Any = validate_input(CHAT, {"messages": [message]})
    assert isinstance(returned["messages"][0], dict)
    assert convert_to_messages(returned["messages"]) == [message]


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        (["hi", {"content": "x"}], "- `messages[1]`: is no message: Message dict must contain"),
        ([{"role": "martian", "content": ""}], "- `messages[0]`: is no message: Unexpected"),
        (3, "- `messages`: is no message: Unsupported message type"),
        ([["a", "b", "c"]], "- `messages[0]`: is no message:"),
        (None, "- `messages`: is no message:"),
    ],
)
def test_what_is_no_message_is_refused(messages: object, wanted: str) -> None:
    (line,) = refusal(CHAT, {"messages": messages})
    assert line.startswith(wanted)


def test_a_refused_message_is_not_shown() -> None:
    assert "secret" not in str(refusal(CHAT, {"messages": [{"content": "secret"}]}))


def test_a_model_is_checked_with_its_validators() -> None:
    assert refusal(MODEL, {"topic": "damn"}) == ["- `topic`: Value error, mind your words"]
    assert refusal(MODEL, {"topic": "x"}) == ["- `topic`: String should have at least 2 characters"]


def test_a_model_is_checked_as_a_whole() -> None:
    assert refusal(MODEL, {"topic": "future"}) == [
        "- `input`: Value error, that was not the future"
    ]
    assert validate_input(MODEL, {"topic": "future"}, continues=True) == {"topic": "future"}


def test_a_model_takes_what_it_reads_back_and_messages_in_any_form() -> None:
    value = {"topic": "rain", "when": date(2026, 1, 31), "messages": "hi", "numbers": 3}
    assert validate_input(MODEL, value) == {**value, "when": "2026-01-31"}


def test_a_model_refuses_what_it_cannot_read_back() -> None:
    (line,) = refusal(MODEL, {"topic": "rain", "when": object()})
    assert line == "- `when`: a `object` cannot be queued: give it as JSON would have it"


def test_an_instance_of_the_schema_is_the_fields_that_were_set() -> None:
    assert validate_input(DATA, Data(topic="rain")) == {"topic": "rain", "count": 1, "log": []}
    assert validate_input(MODEL, Model(topic="rain", messages=[])) == {
        "topic": "rain",
        "messages": [],
    }


def test_a_state_that_is_one_value_is_checked_as_one() -> None:
    graph = graph_of(Annotated[list[int], operator.add])
    assert validate_input(graph, [1, 2]) == [1, 2]
    assert refusal(graph, ["a"]) == ["- `input[0]`: should be a valid integer, not text"]
    assert refusal(graph, {1}) == [
        "- `input`: a `set` cannot be queued: give it as JSON would have it"
    ]


def test_an_entrypoint_is_checked_by_its_argument() -> None:
    @entrypoint()
    def double(number: int) -> int:
        return number * 2

    graph: Graph = declare(double, name="it")  # pyright: ignore[reportUnknownArgumentType]
    assert validate_input(graph, 3) == 3
    assert refusal(graph, "3") == ["- `input`: should be a valid integer, not text"]


def test_a_graph_made_by_hand_is_checked_by_its_channels() -> None:
    node = NodeBuilder().subscribe_only("a").do(lambda _: 1).write_to("b")
    channels: Any = {"a": LastValue[int](int), "b": LastValue[int](int)}
    made: type[Any] = Pregel
    wired = made(nodes={"n": node}, channels=channels, input_channels=["a"], output_channels="b")
    graph: Graph = declare(wired, name="it")
    assert validate_input(graph, {"a": 3}) == {"a": 3}
    assert refusal(graph, {"a": None}) == ["- `a`: should be a valid integer, not null"]


def test_langgraph_takes_an_empty_input() -> None:
    ran: list[object] = []
    builder: Any = StateGraph(State)
    builder.add_node("n", ran.append).add_edge(START, "n")
    declare(builder, name="it").compiled.invoke(validate_input(PLAIN, {}))
    assert ran == [{"log": []}]
