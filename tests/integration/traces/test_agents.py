"""An agent that LangChain makes is traced as it is: nothing in it knows of Penstock."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from langchain import agents
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as plain_tool

from penstock.checkpoints import Store
from penstock.contracts.run import RunStatus
from penstock.graphs import declare
from penstock.traces import names
from support.models import USED
from support.shops import Shop
from support.spans import Branch, Spans, told


class Clerk(BaseChatModel):
    """Looks an order up, and says what it has found."""

    model: str = "gpt-4o"
    max_tokens: int = 100

    @property
    def _llm_type(self) -> str:
        return "clerk"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """Know them without being told."""
        del tools, kwargs
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        if last.type == "tool":
            answer = AIMessage(f"found: {last.content}", usage_metadata=USED)
        else:
            asked = [
                {"name": "look", "args": {"order": order}, "id": order, "type": "tool_call"}
                for order in ("A1", "A2")
            ]
            answer = AIMessage("", tool_calls=asked, usage_metadata=USED)
        return ChatResult(generations=[ChatGeneration(message=answer)])


@plain_tool
def look(order: str) -> str:
    """Look an order up."""
    return f"{order} was sent"


@plain_tool
async def look_later(order: str) -> str:
    """Look an order up."""
    return f"{order} was sent"


look_later.name = "look"


@pytest.mark.parametrize("called", [look, look_later], ids=["blocking", "async"])
async def test_an_agent_that_knows_nothing_of_it_is_one_tree(
    store: Store, called: BaseTool
) -> None:
    spans = Spans()
    # As in `create_agent(…)`; its types are known in part only.
    agent: Any = cast(Any, agents).create_agent(Clerk(), [called])
    shop = Shop(store, declare(agent, name="clerk"), tracing=spans.pipeline)
    given = {"messages": [{"role": "user", "content": "where are my orders?"}]}
    run = await shop.run(given=given)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    # It is also held to OpenInference's conventions, span by span.
    spans.check_tree(run)
    model: Branch = ("agent.step", [("llm.call", [])])
    tool: Branch = ("agent.step", [("tool.call", [("policy.check", [])])])
    assert spans.tree() == [("agent.run", [model, tool, tool, model])]
    first, last = map(told, spans.named("llm.call"))
    assert (first[names.MODEL], first[names.TOKENS_TOTAL]) == ("gpt-4o", USED["total_tokens"])
    asked = "llm.output_messages.0.message.tool_calls.1.tool_call"
    assert first[f"{asked}.function.name"] == "look"
    assert first[f"{asked}.id"] == "A2"
    assert last["llm.output_messages.0.message.content"].startswith("found: A")
    calls = [told(span) for span in spans.named("tool.call")]
    assert {call[names.CALL_ID] for call in calls} == {"A1", "A2"}
    assert {call[names.OUTCOME] for call in calls} == {"done"}
    assert all(call[names.POLICY_DECISION] == "allow" for call in calls)
    steps = {
        told(span)[names.STEP_ID]: told(span)[names.NODE] for span in spans.named("agent.step")
    }
    assert {steps[call[names.STEP_ID]] for call in calls} == {"tools"}
    assert {steps[each[names.STEP_ID]] for each in (first, last)} == {"model"}
