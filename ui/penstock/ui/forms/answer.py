"""What people answer at gates that take an answer and no vote: questions, doubts, budgets."""

import json
from typing import Any

import streamlit as st

from penstock.contracts.effect import Doubt
from penstock.contracts.gate import Gate, GateKind
from penstock.ui import front
from penstock.ui.components.words import sentence
from penstock.ui.forms.fields import MISSING, Form, has_branches
from penstock.ui.forms.sending import send

_DOUBTS = {
    Doubt.HAPPENED: ("It happened", "The run goes on with this as the call's result."),
    Doubt.DID_NOT: ("It did not happen", "The call has failed, and is not tried again."),
    Doubt.RETRY: ("Try again", "The call is made once more, with the same key."),
    Doubt.COMPENSATE: ("Undo it", "It is undone, whether it happened or not."),
}


def answer(gate: Gate) -> None:
    """Show the form of an answer to an open gate, and send what was filled in."""
    if gate.kind is GateKind.IN_DOUBT:
        _doubt(gate)
        return
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
        _send(gate, value, form.problems)


def _doubt(gate: Gate) -> None:
    """Ask what became of a call: four answers, of which those that its tool knows are allowed."""
    branches = _allowed(json.loads(gate.answer_schema or "{}"))
    options = [doubt for doubt in _DOUBTS if doubt in branches]
    said = st.radio(
        "What became of it?",
        options,
        index=None,
        format_func=lambda doubt: _DOUBTS[doubt][0],
        captions=[_DOUBTS[doubt][1] for doubt in options],
        key=f"doubt-{gate.id}",
    )
    if said is None:
        return
    problems: list[str] = []
    value: dict[str, Any] = {"answer": said.value}
    with st.form(f"doubt-form-{gate.id}", border=False):
        result = branches[said]
        if result is not None:
            form = Form(result, key=f"result-{gate.id}", problems=problems)
            found = form.fill()
            if found is not MISSING:
                value["result"] = found
        if st.form_submit_button(
            f"Answer: {_DOUBTS[said][0].lower()}", type="primary", icon=":material/send:"
        ):
            _send(gate, value, problems)


def _send(gate: Gate, value: Any, problems: list[str]) -> None:
    if problems or value is MISSING:
        told = "; ".join(problems) or "say something"
        st.warning(f"Nothing was sent. {sentence(told)}.", icon=":material/block:")
        return

    def act() -> str:
        with front.runtime() as runtime:
            runtime.decide(gate.id, value, by=front.person())
        return "Sent. The run goes on with your answer."

    send(act, about=gate.id)
    st.rerun()


def _allowed(schema: dict[str, Any]) -> dict[Doubt, dict[str, Any] | None]:
    """Return the answers that a gate takes, and the schema of the result that goes with one."""
    found: dict[Doubt, dict[str, Any] | None] = {}
    for branch in schema.get("oneOf", ()):
        told: dict[str, Any] = branch["properties"]
        if "const" in told["answer"]:
            result = {**told["result"], "$defs": schema.get("$defs", {})}
            found[Doubt(told["answer"]["const"])] = result
        else:
            found |= {Doubt(each): None for each in told["answer"]["enum"]}
    return found
