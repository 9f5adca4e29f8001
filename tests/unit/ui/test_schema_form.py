"""Forms keep the types of what is filled in, and show what a schema says."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from penstock.nodes.gates.answer_schema import review_schema

PATIENCE_S = 60


def _page() -> None:
    import streamlit as st  # noqa: PLC0415  (a page is a script of its own)

    from penstock.ui.forms.schema_form import MISSING, Form  # noqa: PLC0415

    form = Form(st.session_state["schema"], key="form")
    st.session_state["value"] = form.fill(st.session_state.get("given", MISSING))
    st.session_state["problems"] = form.problems


def filled(schema: Any, **given: Any) -> AppTest:
    app = AppTest.from_function(_page, default_timeout=PATIENCE_S)
    app.session_state["schema"] = schema
    if given:
        app.session_state["given"] = given
    return app.run()


CALL = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "cents": {"type": "integer"},
        "rate": {"type": "number"},
        "urgent": {"type": "boolean"},
        "kind": {"enum": ["cash", "credit"]},
        "note": {"type": "string", "default": ""},
        "lines": {"type": "array", "items": {"type": "integer"}},
        "due": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["order", "cents", "rate", "urgent", "kind", "lines", "due"],
}
GIVEN = {
    "order": "A-1",
    "cents": 2**60,
    "rate": 0.001,
    "urgent": False,
    "kind": "credit",
    "note": "",
    "lines": [1, 2],
    "due": None,
}


def test_what_is_left_as_it_was_is_what_it_was() -> None:
    app = filled(CALL, **GIVEN)
    assert app.session_state["value"] == GIVEN
    assert [type(value) for value in app.session_state["value"].values()] == [
        type(value) for value in GIVEN.values()
    ]
    assert app.session_state["problems"] == []


def test_what_is_missing_and_what_is_no_number_is_said() -> None:
    app = filled(CALL)
    told = " ".join(app.session_state["problems"])
    for name in ("order", "cents", "rate", "urgent", "kind", "lines"):
        assert f"`{name}` is wanted" in told
    app.text_input(key="form/rate").input("a lot").run()
    assert "`rate`: `a lot` is no number" in app.session_state["problems"]


def test_calls_of_a_message_are_decided_one_by_one() -> None:
    question = {
        "action_requests": [
            {"name": "pay", "args": {"cents": 5}, "description": "Pay."},
            {"name": "mail", "args": {"to": "ada"}},
        ],
        "review_configs": [
            {"action_name": "pay", "allowed_decisions": ["approve", "edit", "reject"]},
            {"action_name": "mail", "allowed_decisions": ["approve", "respond"]},
        ],
    }
    app = filled(json.loads(json.dumps(review_schema(question))))
    assert len(app.session_state["problems"]) == 2
    groups: Any = app.get("button_group")
    groups[0].set_value("Edit")
    groups[1].set_value("Approve")
    app.run()
    edited = {"name": "pay", "args": {"cents": 5}}
    assert app.session_state["value"] == {
        "decisions": [{"type": "edit", "edited_action": edited}, {"type": "approve"}]
    }
    assert app.session_state["problems"] == []


def test_gate_about_a_budget_is_answered_in_its_own_form() -> None:
    raised = {"type": {"const": "raise"}, "cap": {"const": "tokens"}, "by": {"type": "integer"}}
    schema = {
        "oneOf": [
            {"type": "object", "title": "Raise", "properties": raised, "required": list(raised)},
            {
                "type": "object",
                "title": "Stop",
                "properties": {"type": {"const": "stop"}},
                "required": ["type"],
            },
        ]
    }
    app = filled(schema)
    groups: Any = app.get("button_group")
    groups[0].set_value("Raise")
    app.run()
    app.number_input(key="form/Raise/by").set_value(500).run()
    assert app.session_state["value"] == {"type": "raise", "cap": "tokens", "by": 500}
