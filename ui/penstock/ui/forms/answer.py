"""What people answer at gates that take an answer and no vote: what graphs ask, and budgets."""

import json
from typing import Any

import streamlit as st

from penstock.contracts.gate import Gate
from penstock.ui import front
from penstock.ui.components.words import sentence
from penstock.ui.forms.fields import MISSING, Form, has_branches
from penstock.ui.forms.sending import send


def answer(gate: Gate) -> None:
    """Show the form of an answer to an open gate, and send what was filled in."""
    schema = None if gate.answer_schema is None else json.loads(gate.answer_schema)
    if schema is None:
        schema = {"title": "Your answer", "type": "string", "description": "Given to the graph."}
        _filled(gate, schema)
    else:
        _filled(gate, schema)


def _filled(gate: Gate, schema: Any) -> None:
    form = Form(schema, key=f"answer-{gate.id}")
    if has_branches(schema):
        value = form.fill()
        pressed = st.button("Send", type="primary", icon=":material/send:", key=f"send-{gate.id}")
    else:
        with st.form(f"form-{gate.id}", border=False):
            value = form.fill()
            pressed = st.form_submit_button("Send", type="primary", icon=":material/send:")
    if pressed:
        send_answer(gate, value, form.problems)


def send_answer(
    gate: Gate,
    value: Any,
    problems: list[str],
    *,
    then: str = "The run goes on with your answer.",
) -> None:
    """Send an answer, unless something in it cannot be read; say what comes `then`."""
    if problems or value is MISSING:
        told = "; ".join(problems) or "say something"
        st.warning(f"Nothing was sent. {sentence(told)}.", icon=":material/block:")
        return

    def act() -> str:
        with front.runtime() as runtime:
            runtime.decide(gate.id, value, by=front.person())
        return f"Sent. {then}"

    send(act, about=gate.id)
    st.rerun()
