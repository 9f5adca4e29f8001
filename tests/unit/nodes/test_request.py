"""A call is known by its message and place in it, never by a provider's id alone."""

from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from penstock.contracts.call import MessageCall
from penstock.nodes.tools.request import message_call


def call(id: str, name: str = "pay", **args: Any) -> Any:
    return {"name": name, "args": args, "id": id, "type": "tool_call"}


def asking(id: str | None, *calls: Any) -> AIMessage:
    return AIMessage("", id=id, tool_calls=list(calls))


def find(state: object, provider_id: str = "c1", **args: Any) -> tuple[str, int] | None:
    found = message_call(state, name="pay", provider_id=provider_id, arguments=args)
    assert found is None or isinstance(found, MessageCall)
    return None if found is None else (found.message_id, found.position)


def test_a_call_is_found_at_its_place() -> None:
    state = {"messages": [HumanMessage("hi"), asking("m1", call("c0"), call("c1"))]}
    assert find(state) == ("m1", 1)


def test_the_channel_of_messages_may_have_any_name() -> None:
    assert find({"count": 1, "chat": [asking("m1", call("c1"))]}) == ("m1", 0)


def test_a_state_may_be_a_list_or_an_object() -> None:
    @dataclass
    class State:
        messages: list[AnyMessage] = field(default_factory=lambda: [asking("m1", call("c1"))])

    assert find([asking("m1", call("c1"))]) == find(State()) == ("m1", 0)


def test_of_messages_with_the_same_id_of_a_call_the_newest_is_meant() -> None:
    assert find([asking("m1", call("c1")), asking("m2", call("c1"))]) == ("m2", 0)


def test_of_calls_with_the_same_id_the_one_with_these_arguments_is_meant() -> None:
    assert find([asking("m1", call("c1", a=1), call("c1", a=2))], a=2) == ("m1", 1)


def test_calls_that_nothing_tells_apart_are_not_guessed() -> None:
    assert find([asking("m1", call("c1", a=1), call("c1", a=1))], a=1) is None


def test_a_message_without_an_id_is_no_origin() -> None:
    assert find([asking(None, call("c1"))]) is None


def test_a_call_of_another_tool_is_not_meant() -> None:
    assert find([asking("m1", call("c1", "mail"))]) is None


def test_two_channels_that_disagree_are_not_guessed() -> None:
    assert find({"a": [asking("m1", call("c1"))], "b": [asking("m2", call("c1"))]}) is None


def test_a_state_without_messages_has_no_origin() -> None:
    assert find(None) is find({"n": 1}) is None
