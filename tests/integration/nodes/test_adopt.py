"""A tool without a contract works under the worst one."""

from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, StructuredTool, ToolException
from langchain_core.tools import tool as plain
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.types import Command

from penstock.contracts.call import MessageCall, Refused
from penstock.contracts.errors import InvalidContract
from penstock.contracts.policy import Taint
from penstock.contracts.tool import EffectClass, RetryAfter, RetryPlan
from penstock.nodes import adopt, tool
from penstock.nodes.tools.messages import AdoptedResult
from support.calls import DirectCalls


@plain
def search(word: str, limit: int = 3) -> list[str]:
    """Search for a word."""
    return [word] * limit


@plain
def count_messages(unit: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
    """Count."""
    return f"{len(state['messages'])} {unit}"


@plain(response_format="content_and_artifact")
def draw(word: str) -> tuple[str, object]:
    """Draw."""
    return word, {"picture": [1, 2]}


@plain
def jump(id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Jump."""
    return Command(update={"messages": [ToolMessage("jumped", tool_call_id=id)]})


def fail(word: str) -> str:
    """Fail."""
    raise ToolException(f"no {word}")


def echo(word: str) -> str:
    return word


BY_SCHEMA = StructuredTool(
    name="by_schema",
    description="As a server elsewhere describes it.",
    args_schema={
        "type": "object",
        "properties": {"word": {"type": "string"}},
        "required": ["word"],
    },
    func=echo,
)


async def answer(base: Any, **args: Any) -> tuple[ToolMessage, DirectCalls]:
    return await answer_of(adopt(base), **args)


async def answer_of(base: Any, **args: Any) -> tuple[ToolMessage, DirectCalls]:
    node: Any = ToolNode([base])
    graph = StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").compile()
    run = DirectCalls()
    asked = {"name": base.name, "args": args, "id": "c1", "type": "tool_call"}
    message = AIMessage("", id="m1", tool_calls=[asked])  # pyright: ignore[reportArgumentType]
    state = await graph.ainvoke({"messages": [message]}, run.config)
    return state["messages"][-1], run


def test_its_contract_is_the_worst() -> None:
    contract = adopt(search).contract
    assert contract.effect is EffectClass.UNSAFE
    assert (contract.timeout_s, contract.retry.attempt_limit) == (30.0, 1)
    assert contract.taints == frozenset(Taint)
    assert not adopt(search, taints=()).contract.taints
    assert (contract.name, contract.description) == ("search", "Search for a word.")


def test_one_that_blocks_is_warned_about_until_it_is_said_to_be_harmless() -> None:
    (warning,) = adopt(search).contract.warnings
    assert "cannot be stopped" in warning
    assert adopt(search, effect="read").contract.warnings == ()


def test_more_may_be_said_of_it() -> None:
    assert adopt(search, effect="read", scopes={"web:read"}).contract.scopes == {"web:read"}


@pytest.mark.parametrize("effect", ["keyed", "probe", "transactional"])
def test_what_it_cannot_do_is_refused(effect: Any) -> None:
    with pytest.raises(InvalidContract, match=f"adopted as `{effect}`"):
        adopt(search, effect=effect)


def test_repeating_what_may_have_happened_is_refused() -> None:
    with pytest.raises(InvalidContract, match="tried again after any failure"):
        adopt(search, retry=RetryPlan(after=RetryAfter.ANY))


def test_a_governed_tool_is_not_adopted() -> None:
    with pytest.raises(InvalidContract, match="has a contract already"):
        adopt(tool(fail))


async def test_its_message_is_what_it_would_have_been() -> None:
    made, run = await answer(search, word="a", limit=2)
    bare, _ = await answer_of(search, word="a", limit=2)
    assert (made.content, made.status) == (bare.content, bare.status)
    assert run.origins == [MessageCall(message_id="m1", position=0, provider_id="c1")]


async def test_its_artifact_is_kept() -> None:
    made, _ = await answer(draw, word="a")
    assert (made.content, made.artifact) == ("a", {"picture": [1, 2]})


async def test_an_error_that_it_handles_stays_its_answer() -> None:
    handling = StructuredTool.from_function(fail, handle_tool_error=True)
    made, _ = await answer(handling, word="a")
    assert (made.content, made.status) == ("no a", "error")


async def test_a_state_is_injected_into_it() -> None:
    made, run = await answer(count_messages, unit="messages")
    assert made.content == "1 messages"
    assert run.calls[0].arguments == {"unit": "messages"}


async def test_a_tool_with_only_a_json_schema_works() -> None:
    assert (await answer(BY_SCHEMA, word="a"))[0].content == "a"


@pytest.mark.parametrize("base", [search, BY_SCHEMA])
def test_arguments_that_do_not_fit_are_refused(base: Any) -> None:
    refused = adopt(base).check({"word": 3})
    assert isinstance(refused, Refused)
    assert refused.code == "invalid_arguments"
    assert "`word`" in refused.message


def test_arguments_that_are_not_json_are_refused() -> None:
    assert isinstance(adopt(search).check({"word": object()}), Refused)


async def test_a_command_that_it_answers_with_is_followed() -> None:
    made, _ = await answer(jump)
    assert (made.content, made.tool_call_id) == ("jumped", "c1")


def test_what_it_made_comes_back_from_the_record() -> None:
    codec = adopt(search).results
    carried = AdoptedResult(content=["a", {"type": "text"}], artifact=None, status="success")
    assert codec.load(codec.dump(carried)) == carried
