"""Answers at gates that take no vote: questions of graphs, budgets, and calls in doubt."""

import json
from typing import Any

import streamlit as st

from penstock.contracts.effect import DoubtAnswer, Effect
from penstock.contracts.gate import Gate
from penstock.contracts.run import LIVE, Run
from penstock.runs.answers import has_probe
from penstock.ui import session
from penstock.ui.components import doubt_evidence
from penstock.ui.components.feedback import submit_and_rerun
from penstock.ui.components.markdown import remaining, sentence
from penstock.ui.forms.schema_form import MISSING, Form, has_branches

LOOK_S = 2.0
NAMES = {
    DoubtAnswer.HAPPENED: "It happened",
    DoubtAnswer.DID_NOT: "It did not happen",
    DoubtAnswer.RETRY: "Try again",
    DoubtAnswer.COMPENSATE: "Undo it",
}
_MEANS = {
    DoubtAnswer.HAPPENED: "The run goes on with this as the call's result.",
    DoubtAnswer.DID_NOT: "The call has failed, and is not tried again.",
    DoubtAnswer.RETRY: "The call is made once more, with the same key.",
    DoubtAnswer.COMPENSATE: "It is undone, whether it happened or not.",
}
_THEN = {
    DoubtAnswer.HAPPENED: "The run goes on with that result.",
    DoubtAnswer.DID_NOT: "The run goes on, and its graph is told that the call has failed.",
    DoubtAnswer.RETRY: "The run goes on and makes the call again, with the same key.",
    DoubtAnswer.COMPENSATE: "The run goes on and has it undone; its policy decides about that"
    " call too.",
}


def answer_question(gate: Gate) -> None:
    """Show the form that answers a question or a budget gate, and submit it."""
    schema = None if gate.answer_schema is None else json.loads(gate.answer_schema)
    if schema is None:
        schema = {"title": "Your answer", "type": "string", "description": "Given to the graph."}
        _filled(gate, schema)
    else:
        _filled(gate, schema)


def send_answer(
    gate: Gate,
    value: Any,
    problems: list[str],
    *,
    then: str = "The run goes on with your answer.",
) -> None:
    """Submit an answer, unless something in it cannot be read; `then` says what follows."""
    if problems or value is MISSING:
        problem = "; ".join(problems) or "say something"
        st.warning(f"Nothing was sent. {sentence(problem)}.", icon=":material/block:")
        return

    def act() -> str:
        with session.runtime() as runtime:
            runtime.decide(gate.id, value, by=session.person())
        return f"Sent. {then}"

    submit_and_rerun(act, about=gate.id)


def answer_doubt(effect: Effect, gate: Gate, run: Run, *, is_mine: bool) -> None:
    """Show what this person may answer about a call in doubt, and submit it."""
    if not is_mine:
        st.info("You look on: this is answered by an operator.", icon=":material/visibility:")
        return
    if doubt_evidence.may_still_happen(effect, session.now()):
        _wait(effect)
        return
    if run.status in LIVE and has_probe(session.desk().catalog, run.graph, effect):
        _look_up(gate)
    _answer(gate, run)


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


@st.fragment(run_every=LOOK_S)
def _wait(effect: Effect) -> None:
    """Show how long a call may still happen; reload the page when that is over."""
    now = session.now()
    if not doubt_evidence.may_still_happen(effect, now):
        st.rerun()
    st.info(
        f"It may still happen for {remaining(effect.settles_at, now)}. Then it can be answered.",
        icon=":material/hourglass:",
    )


def _look_up(gate: Gate) -> None:
    is_due = gate.wakes_at is not None and gate.wakes_at <= session.now()
    if st.button(
        "Look it up now",
        icon=":material/search:",
        key=f"look-{gate.id}",
        disabled=is_due,
        help="A worker asks the tool's probe; what it finds answers by itself.",
    ):

        def act() -> str:
            with session.runtime() as runtime:
                runtime.look_up(gate.id, by=session.person())
            return "A worker looks it up with its next beat. What it finds is said here."

        submit_and_rerun(act, about=gate.id)


def _answer(gate: Gate, run: Run) -> None:
    """Ask what became of a call: of four answers, those that its gate allows."""
    branches = _allowed(json.loads(gate.answer_schema or "{}"))
    options = [answer for answer in NAMES if answer in branches]
    chosen = st.radio(
        "What became of it?",
        options,
        index=None,
        format_func=lambda answer: NAMES[answer],
        captions=[_MEANS[answer] for answer in options],
        key=f"doubt-{gate.id}",
    )
    if DoubtAnswer.RETRY not in branches:
        st.caption("Its run was cancelled, so nobody would try it again, or undo it.")
    elif DoubtAnswer.COMPENSATE not in branches:
        st.caption("It cannot be undone from here: its tool does not say how.")
    if chosen is None:
        return
    problems: list[str] = []
    value: dict[str, Any] = {"answer": chosen.value}
    with st.form(f"doubt-form-{gate.id}", border=False):
        result = branches[chosen]
        if result is not None:
            form = Form(result, key=f"result-{gate.id}", problems=problems)
            found = form.fill()
            if found is not MISSING:
                value["result"] = found
        if st.form_submit_button(
            f"Answer: {NAMES[chosen].lower()}", type="primary", icon=":material/send:"
        ):
            then = _THEN[chosen] if run.status in LIVE else "Its run is over, and stays as it is."
            send_answer(gate, value, problems, then=then)


def _allowed(schema: dict[str, Any]) -> dict[DoubtAnswer, dict[str, Any] | None]:
    """Return the answers that a gate takes, and the schema of the result that goes with one."""
    found: dict[DoubtAnswer, dict[str, Any] | None] = {}
    for branch in schema.get("oneOf", ()):
        properties: dict[str, Any] = branch["properties"]
        if "const" not in properties["answer"]:
            found |= {DoubtAnswer(each): None for each in properties["answer"]["enum"]}
        elif "result" in properties:
            result = {
                "title": "The result",
                **properties["result"],
                "$defs": schema.get("$defs", {}),
            }
            found[DoubtAnswer(properties["answer"]["const"])] = result
        else:
            found[DoubtAnswer(properties["answer"]["const"])] = None
    return found
