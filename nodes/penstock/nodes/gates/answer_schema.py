"""The JSON Schema of the answer to a question.

A question that is one of LangChain's requests to review tool calls names the decisions that are
allowed. Its answer is handed to LangChain as it is, so it has LangChain's shape: decisions by
position for the calls of a message, or one decision for one call.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, assert_never

from langgraph.types import Interrupt
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json

from penstock.contracts.tool import JsonSchema

SHOWN_CHARS = 2_000
"""The number of characters that are shown of the arguments of a call."""


class ReviewDecision(StrEnum):
    """A decision of a reviewer about a call."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    RESPOND = "respond"


def question_json(interrupt: Interrupt[Any]) -> str:
    """Return the question, as JSON."""
    return as_json(interrupt.value)


def answer_schema(interrupt: Interrupt[Any]) -> str | None:
    """Return the JSON Schema of the answer, as JSON; None where any answer is allowed."""
    schema = interrupt.response_schema
    if schema is None:
        schema = review_schema(interrupt.value)
    return None if schema is None else as_json(schema)


def review_schema(question: object) -> JsonSchema | None:
    """Return the schema of the answer to a request for review; None if the question is none."""
    try:
        if isinstance(question, Mapping) and "action_requests" in question:
            return _of_batch(_Batch.model_validate(question))
        return _of_action(_Single.model_validate(question))
    except ValidationError:
        return None


def as_json(value: object) -> str:
    """Return a value as JSON; a value that JSON does not have, as its `repr`."""
    return to_json(value, fallback=repr).decode()


class _Action(BaseModel):
    name: str
    args: dict[str, Any]
    description: str | None = None


class _Review(BaseModel):
    action_name: str
    allowed_decisions: list[ReviewDecision] = Field(min_length=1)


class _Batch(BaseModel):
    action_requests: list[_Action] = Field(min_length=1)
    review_configs: list[_Review]


class _Single(_Action):
    type: Literal["tool_approval"]
    tool_call_id: str
    allowed_decisions: list[ReviewDecision] = Field(
        default=[ReviewDecision.APPROVE, ReviewDecision.REJECT], min_length=1
    )
    """LangChain names them in the schema of the request; without it, these are."""


def _of_action(single: _Single) -> JsonSchema:
    return _decision(single, single.allowed_decisions)


def _of_batch(batch: _Batch) -> JsonSchema | None:
    allowed = _allowed(batch)
    if allowed is None:
        return None
    actions = batch.action_requests
    decisions = [_decision(action, each) for action, each in zip(actions, allowed, strict=True)]
    return _object(
        {
            "decisions": {
                "type": "array",
                "title": "Decisions",
                "description": "One for each call, in their order.",
                "prefixItems": decisions,
                "minItems": len(decisions),
                "maxItems": len(decisions),
            }
        },
        title=", ".join(action.name for action in actions),
    )


def _allowed(batch: _Batch) -> Sequence[Sequence[ReviewDecision]] | None:
    """Return the decisions that are allowed for each call; None where a call has none.

    LangChain gives one configuration for each call, others one for each tool.
    """
    reviews = batch.review_configs
    names = [action.name for action in batch.action_requests]
    if [review.action_name for review in reviews] == names:
        return [review.allowed_decisions for review in reviews]
    by_name = {review.action_name: review.allowed_decisions for review in reviews}
    if len(by_name) != len(reviews) or not by_name.keys() >= set(names):
        return None
    return [by_name[name] for name in names]


def _decision(action: _Action, allowed: Sequence[ReviewDecision]) -> JsonSchema:
    shown = f"{action.name} {as_json(action.args)}"
    if len(shown) > SHOWN_CHARS:
        shown = f"{shown[:SHOWN_CHARS]}…"
    return {
        "title": action.name,
        "description": f"{action.description}\n\n{shown}" if action.description else shown,
        "oneOf": [_branch(each, action) for each in dict.fromkeys(allowed)],
    }


def _branch(decision: ReviewDecision, action: _Action) -> JsonSchema:
    kind: JsonSchema = {"const": decision.value}
    match decision:
        case ReviewDecision.APPROVE:
            return _object({"type": kind}, title="Approve")
        case ReviewDecision.EDIT:
            # The name is fixed: who approves this call does not approve another tool.
            edited = _object(
                {
                    "name": {"const": action.name, "title": "Tool"},
                    "args": {"type": "object", "title": "Arguments", "default": action.args},
                },
                title=action.name,
            )
            return _object({"type": kind, "edited_action": edited}, title="Edit")
        case ReviewDecision.REJECT:
            message = {"type": "string", "title": "Why", "description": "Told to the model."}
            return _object(
                {"type": kind, "message": message}, title="Reject", optional=("message",)
            )
        case ReviewDecision.RESPOND:
            message = {
                "type": "string",
                "title": "Answer",
                "description": "Given to the model as the tool's result; the tool is not called.",
            }
            return _object({"type": kind, "message": message}, title="Respond")
        case _:
            assert_never(decision)


def _object(
    properties: Mapping[str, JsonSchema], *, title: str, optional: Sequence[str] = ()
) -> JsonSchema:
    """Return the schema of an object with these properties alone, all but `optional` required."""
    return {
        "type": "object",
        "title": title,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
