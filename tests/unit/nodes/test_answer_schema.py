"""The form that is made of a request to review tool calls."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from langgraph.types import Interrupt

from penstock.nodes.gates.answer_schema import answer_schema, review_schema
from penstock.runs.answers import first_mismatch

REFUND = {"name": "refund", "args": {"order": "A1", "cents": 500}, "description": "Money."}
MAIL = {"name": "mail", "args": {"to": "ann"}}
ALL = ["approve", "edit", "reject", "respond"]


def batch(*requests: tuple[dict[str, Any], list[str]]) -> dict[str, Any]:
    return {
        "action_requests": [action for action, _ in requests],
        "review_configs": [
            {"action_name": action["name"], "allowed_decisions": allowed}
            for action, allowed in requests
        ],
    }


def misfit(question: object, answer: object) -> tuple[str, str] | None:
    schema: Any = review_schema(question)
    Draft202012Validator.check_schema(schema)
    validator: Any = Draft202012Validator(schema)
    return first_mismatch(validator.iter_errors(answer))


TWO = batch((REFUND, ALL), (MAIL, ["approve", "reject"]))
APPROVE: dict[str, Any] = {"type": "approve"}
EDIT: dict[str, Any] = {
    "type": "edit",
    "edited_action": {"name": "refund", "args": {"order": "A1", "cents": 400}},
}

MISFITS: list[tuple[object, str, str]] = [
    ("yes", "$", "'yes' is not of type 'object'"),
    ({"decisions": [APPROVE]}, "$.decisions", "1 were given, and 2 are wanted"),
    ({"decisions": [APPROVE] * 3}, "$.decisions", "3 were given, and 2 are wanted"),
    ({"decisions": []}, "$.decisions", "0 were given, and 2 are wanted"),
    (
        {"decisions": [APPROVE, EDIT]},
        "$.decisions[1]",
        "its `type` must be one of `approve`, `reject`",
    ),
    (
        {"decisions": [{}, APPROVE]},
        "$.decisions[0]",
        "its `type` must be one of `approve`, `edit`, `reject`, `respond`",
    ),
    (
        {"decisions": [{"type": "respond"}, APPROVE]},
        "$.decisions[0]",
        "'message' is a required property",
    ),
    (
        {"decisions": [{"type": "reject", "message": 5}, APPROVE]},
        "$.decisions[0].message",
        "5 is not of type 'string'",
    ),
    (
        {"decisions": [{**EDIT, "edited_action": {"name": "mail", "args": {}}}, APPROVE]},
        "$.decisions[0].edited_action.name",
        "'refund' was expected",
    ),
    (
        {"decisions": [{**EDIT, "edited_action": {"name": "refund", "args": []}}, APPROVE]},
        "$.decisions[0].edited_action.args",
        "[] is not of type 'object'",
    ),
    (
        {"decisions": [{**APPROVE, "scope": "always"}, APPROVE]},
        "$.decisions[0]",
        "Additional properties are not allowed ('scope' was unexpected)",
    ),
]

OTHERS: list[object] = [
    "go on?",
    None,
    {"question": "go on?"},
    {"action_requests": [], "review_configs": []},
    {"action_requests": [REFUND]},
    {"action_requests": [{"args": {}}], "review_configs": []},
    batch((REFUND, ["approve", "delegate"])),
    batch((REFUND, [])),
    {**batch((REFUND, ALL)), "action_requests": [MAIL]},
    {**batch((MAIL, ["approve"]), (MAIL, ["reject"])), "action_requests": [MAIL]},
    {**REFUND, "type": "approval"},
    {**REFUND, "type": "tool_approval"},
]


@pytest.mark.parametrize(
    "decision",
    [
        APPROVE,
        EDIT,
        {"type": "reject"},
        {"type": "reject", "message": "too much"},
        {"type": "respond", "message": "done by hand"},
    ],
)
def test_each_decision_that_is_allowed_fits_in_its_own_shape(decision: dict[str, Any]) -> None:
    assert misfit(TWO, {"decisions": [decision, APPROVE]}) is None
    single = {**REFUND, "type": "tool_approval", "tool_call_id": "c1", "allowed_decisions": ALL}
    assert misfit(single, decision) is None


@pytest.mark.parametrize(("answer", "where", "why"), MISFITS)
def test_what_does_not_fit_is_said_with_its_place(answer: object, where: str, why: str) -> None:
    assert misfit(TWO, answer) == (where, why)


def test_the_form_shows_the_tool_and_the_arguments() -> None:
    schema: Any = review_schema(TWO)
    assert schema["title"] == "refund, mail"
    refund, mail = schema["properties"]["decisions"]["prefixItems"]
    assert refund["description"] == 'Money.\n\nrefund {"order":"A1","cents":500}'
    assert (mail["title"], mail["description"]) == ("mail", 'mail {"to":"ann"}')
    edit = refund["oneOf"][1]["properties"]["edited_action"]["properties"]
    assert edit["args"]["default"] == REFUND["args"]


def test_two_calls_of_one_tool_may_allow_different_things() -> None:
    question = batch((MAIL, ["approve"]), (MAIL, ["reject"]))
    reject = {"type": "reject"}
    assert misfit(question, {"decisions": [APPROVE, reject]}) is None
    assert misfit(question, {"decisions": [reject, APPROVE]}) is not None


def test_a_configuration_may_be_one_for_each_tool() -> None:
    question = batch((REFUND, ["approve"]), (MAIL, ["reject"]))
    question["action_requests"] = [MAIL, REFUND, MAIL]
    reject = {"type": "reject"}
    assert misfit(question, {"decisions": [reject, APPROVE, reject]}) is None
    assert misfit(question, {"decisions": [reject, reject, reject]}) is not None


def test_a_request_that_does_not_say_what_is_allowed_can_be_approved_or_rejected() -> None:
    single = {**REFUND, "type": "tool_approval", "tool_call_id": "c1"}
    assert misfit(single, {"type": "reject"}) is None
    assert misfit(single, EDIT) == ("$", "its `type` must be one of `approve`, `reject`")


@pytest.mark.parametrize("question", OTHERS)
def test_any_other_question_is_a_plain_one(question: object) -> None:
    assert review_schema(question) is None


def test_the_schema_that_goes_with_a_question_is_the_one_that_counts() -> None:
    own = {"type": "string"}
    asked = Interrupt(value=TWO, id="i1", response_schema=own)
    assert json.loads(answer_schema(asked) or "") == own
    assert answer_schema(Interrupt(value="go on?", id="i1")) is None
