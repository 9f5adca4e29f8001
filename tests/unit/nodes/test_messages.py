"""What a model and what code get of each outcome."""

import json
from dataclasses import dataclass

import pytest
from langchain_core.messages import ToolMessage

from penstock.contracts.call import Done, Failed, InDoubt, Outcome, Refused, Stage
from penstock.contracts.errors import PenstockError, ToolFailed, ToolInDoubt, ToolRefused
from penstock.nodes.tools.messages import WHAT_NEXT, AdoptedResult, message, value
from penstock.nodes.tools.results import ResultCodec


@dataclass
class Receipt:
    id: str


REFUSED = Refused(stage=Stage.POLICY, code="forbidden", message="Clerks may not.")
FAILED = Failed(code="no_such_order", message="There is no order A9.", retryable=False)
BUSY = Failed(code="busy", message="It is busy.", retryable=True)
IN_DOUBT = InDoubt(effect_key="e1", message="The answer was lost.")


def told(outcome: Outcome, annotation: object = str) -> ToolMessage:
    made = message("pay", outcome, codec=ResultCodec(annotation), call_id="c1")
    assert isinstance(made, ToolMessage)
    return made


def test_a_text_is_the_content_itself() -> None:
    made = told(Done(result="paid", recorded=False))
    assert (made.content, made.artifact, made.status) == ("paid", "paid", "success")
    assert (made.tool_call_id, made.name) == ("c1", "pay")


def test_another_result_is_json_with_the_value_as_artifact() -> None:
    made = told(Done(result=Receipt("r1"), recorded=True), Receipt)
    assert (made.content, made.artifact) == ('{"id":"r1"}', Receipt("r1"))


def test_an_adopted_tools_message_is_made_again() -> None:
    carried = AdoptedResult(content="no such file", artifact={"code": 2}, status="error")
    made = told(Done(result=carried, recorded=True), AdoptedResult)
    assert (made.content, made.artifact, made.status) == ("no such file", {"code": 2}, "error")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (REFUSED, "forbidden"),
        (FAILED, "no_such_order"),
        (BUSY, "busy"),
        (IN_DOUBT, "in_doubt"),
    ],
)
def test_what_did_not_happen_is_told_with_its_code_and_what_may_be_tried(
    outcome: Refused | Failed | InDoubt, code: str
) -> None:
    made = told(outcome)
    content = json.loads(str(made.content))
    assert made.status == "error"
    assert (content["code"], content["message"]) == (code, outcome.message)
    assert content["what_may_be_tried"]


def test_every_stage_says_what_may_be_tried() -> None:
    assert set(WHAT_NEXT) == set(Stage)


def test_a_call_in_doubt_is_not_to_be_repeated() -> None:
    assert "Do not call it again" in str(told(IN_DOUBT).content)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [(REFUSED, ToolRefused), (FAILED, ToolFailed), (IN_DOUBT, ToolInDoubt)],
)
def test_code_gets_an_error_with_the_outcome(
    outcome: Refused | Failed | InDoubt, error: type[PenstockError]
) -> None:
    with pytest.raises(error, match=outcome.message) as raised:
        value("pay", outcome)
    assert getattr(raised.value, "outcome") == outcome  # noqa: B009  (each has its own type)
