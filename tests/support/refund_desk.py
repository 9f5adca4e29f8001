"""Driving the refund desk as any LangGraph program would."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from desk.graph import build

Question = Mapping[str, Any]
Decide = Callable[[Question], Mapping[str, Any]]


def approve(question: Question) -> Mapping[str, Any]:
    """Say yes to whatever is asked."""
    return {"approved": True, "reason": f"fine, {question['order']}"}


def reject(question: Question) -> Mapping[str, Any]:
    """Say no to whatever is asked."""
    return {"approved": False, "reason": f"not {question['order']}"}


def ask_nobody(question: Question) -> Mapping[str, Any]:
    """Fail where a person is asked."""
    raise AssertionError(f"nobody should be asked: {json.dumps(question)}")


async def work(
    ticket: str,
    decide: Decide = ask_nobody,
    *,
    saver: BaseCheckpointSaver[Any] | None = None,
    thread: str | None = None,
) -> dict[str, Any]:
    """Work on a ticket to its end, and return the last state."""
    graph = build().compile(checkpointer=saver or InMemorySaver())
    config: Any = {"configurable": {"thread_id": thread or ticket}}
    given: Any = {"ticket": ticket}
    await graph.ainvoke(given, config, durability="sync")
    while asked := (await graph.aget_state(config)).interrupts:
        answers = {each.id: decide(each.value) for each in asked}
        await graph.ainvoke(Command(resume=answers), config, durability="sync")
    return (await graph.aget_state(config)).values


class NotingModel(GenericFakeChatModel):
    """A chat model that notes what it was told to, as a call of the tool that it was given."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - as it is declared above
        """Take the tools and go on as before."""
        return self


def noting(**notes: Any) -> NotingModel:
    """Return a model that reads `notes` out of any ticket."""
    call = {"name": "Notes", "args": notes, "id": "call-1", "type": "tool_call"}
    return NotingModel(messages=iter([AIMessage("", tool_calls=[call])]))
