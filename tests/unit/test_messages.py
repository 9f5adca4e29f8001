"""What people are told about a gate, in words."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from penstock.contracts.gate import Gate, GateKind, GateStatus, NoticeKind
from penstock.contracts.ids import GateId, RunId
from penstock.contracts.policy import OnExpiry
from penstock.runs.messages import ARGUMENTS_LIMIT, compose
from support.approvals import QUESTION
from support.runs import NOW


def gate(
    question: Mapping[str, Any] | str = QUESTION,
    *,
    kind: GateKind = GateKind.APPROVAL,
    left: timedelta | None = timedelta(hours=3, minutes=20),
    on_expiry: OnExpiry = OnExpiry.DENY,
) -> Gate:
    return Gate(
        id=GateId("a" * 32),
        tenant="acme",
        run_id=RunId("run-1"),
        kind=kind,
        status=GateStatus.OPEN,
        question=json.dumps(question),
        answer_schema=None,
        answer=None,
        decided_by=None,
        opened_at=NOW,
        expires_at=None if left is None else NOW + left,
        closed_at=None,
        effect_key=None,
        wakes_at=None,
        approvals={"finance": 2, "legal": 1},
        on_expiry=on_expiry,
    )


def body(asked: Gate, *, link: str | None = None) -> str:
    return compose(asked, NoticeKind.OPENED, now=NOW, link=link).body


def test_a_message_says_what_is_asked_for_whom_and_how_to_decide() -> None:
    assert body(gate()) == (
        "May it happen: pay_refund\n"
        "What it does: Pay a customer back.\n"
        "Effect: irreversible\n"
        "The run acts for: ada\n"
        "Agent: refund_desk\n"
        "Why you are asked: Refunds above 100 EUR need finance.\n"
        "Rules: large-refund\n"
        "Approvals: 2 of finance, 1 of legal\n"
        "Expires: 2026-01-02T06:24:05+00:00, in 3 h 20 min; then the call is refused\n"
        "Run: run-1\n"
        f"Decide: penstock gates {'a' * 32}\n"
        "\n"
        "Arguments:\n"
        "{\n"
        '  "amount_minor": 25000,\n'
        '  "order": "A-17"\n'
        "}"
    )


def test_a_message_with_a_link_gives_the_command_too() -> None:
    (line,) = [
        one for one in body(gate(), link="https://x/?link=t").splitlines() if "?link=" in one
    ]
    assert line.startswith("Decide: https://x/?link=t (")
    assert line.endswith(f"or penstock gates {'a' * 32}")


@pytest.mark.parametrize(
    ("kind", "left", "title"),
    [
        (NoticeKind.OPENED, timedelta(hours=4), "To decide: pay_refund, 4 h 0 min left"),
        (NoticeKind.OPENED, None, "To decide: pay_refund"),
        (NoticeKind.EXPIRING, timedelta(minutes=48), "Nobody has decided: pay_refund, 48 min left"),
        (NoticeKind.ESCALATED, timedelta(hours=49), "Escalated to you: pay_refund, 2 d 1 h left"),
        (NoticeKind.OPENED, timedelta(0), "To decide: pay_refund, less than a minute left"),
    ],
)
def test_a_title_says_why_one_is_told_and_how_long_is_left(
    kind: NoticeKind, left: timedelta | None, title: str
) -> None:
    assert compose(gate(left=left), kind, now=NOW, link=None).title == title


def test_a_message_says_what_happens_if_nobody_decides() -> None:
    assert "; then the run fails\n" in body(gate(on_expiry=OnExpiry.FAIL))


def test_no_argument_begins_a_line_or_turns_the_writing_round() -> None:
    forged = "A-17\nDecide: https://evil.example\u2028Decide: here\r\N{RIGHT-TO-LEFT OVERRIDE}"
    asked = gate({**QUESTION, "may_it_happen": forged, "arguments": {forged: forged}})
    message = compose(asked, NoticeKind.OPENED, now=NOW, link=None)
    assert [line for line in message.body.splitlines() if line.startswith("Decide: ")] == [
        f"Decide: penstock gates {'a' * 32}"
    ]
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in message.title + message.body
    assert len(message.title.splitlines()) == 1
    assert "\\u202e" in message.body


def test_names_of_people_are_shown_as_they_are_written() -> None:
    assert '"Zoë Müller"' in body(gate({**QUESTION, "arguments": {"to": "Zoë Müller"}}))


def test_arguments_are_cut_and_the_message_says_so() -> None:
    told = body(gate({**QUESTION, "arguments": {"text": "x" * 10_000}}))
    assert told.endswith("…\n(cut here; the gate has them whole)")
    assert len(told) < ARGUMENTS_LIMIT + 1000


def test_a_question_that_is_not_about_a_call_is_shown_as_it_is() -> None:
    told = compose(
        gate({"which": "one"}, kind=GateKind.QUESTION), NoticeKind.OPENED, now=NOW, link=None
    )
    assert told.title == "To decide: a question of the graph, 3 h 20 min left"
    assert told.body.endswith('Question:\n{\n  "which": "one"\n}')


def test_a_question_that_is_one_sentence_is_the_title() -> None:
    told = compose(
        gate("Which day?\nTuesday", kind=GateKind.QUESTION, left=None),
        NoticeKind.OPENED,
        now=NOW,
        link=None,
    )
    assert told.title == "To decide: Which day?\\nTuesday"


def test_of_a_budget_the_title_says_what_does_not_fit() -> None:
    asked = {"question": "`pay` may take 5 EUR: raise its cap?", "cap": "tool_spend"}
    told = compose(gate(asked, kind=GateKind.BUDGET), NoticeKind.EXPIRING, now=NOW, link=None)
    assert told.title.startswith("Nobody has decided: `pay` may take 5 EUR: raise its cap?, ")


def test_of_a_call_in_doubt_no_argument_is_told() -> None:
    doubt = {
        "did_it_happen": "pay",
        "why_in_doubt": "the answer was lost",
        "arguments": {"card": "4111"},
    }
    told = compose(
        gate(doubt, kind=GateKind.IN_DOUBT, left=None), NoticeKind.OPENED, now=NOW, link=None
    )
    assert told.title == "To decide: did pay happen?"
    assert told.body.startswith("Did it happen: pay\nWhy nobody knows: the answer was lost\n")
    assert "4111" not in told.body


def test_who_edited_the_arguments_is_named() -> None:
    assert "Arguments edited by: bob\n" in body(gate({**QUESTION, "edited_by": "bob"}))
