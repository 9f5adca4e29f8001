"""What people say about a call in doubt: what became of it, or that it is to be looked up now."""

import json
from typing import Any

import streamlit as st

from penstock.contracts.effect import DoubtAnswer, Effect
from penstock.contracts.gate import Gate
from penstock.contracts.run import LIVE, Run
from penstock.runs.answers import has_probe
from penstock.ui import front
from penstock.ui.components import doubt
from penstock.ui.components.words import left
from penstock.ui.forms.answer import send_answer
from penstock.ui.forms.fields import MISSING, Form
from penstock.ui.forms.sending import send

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


def decide(effect: Effect, gate: Gate, run: Run, *, is_mine: bool) -> None:
    """Show what this person may say of a call in doubt at its open gate, and do it."""
    if not is_mine:
        st.info("You look on: this is answered by an operator.", icon=":material/visibility:")
        return
    if doubt.may_land(effect, front.now()):
        _wait(effect)
        return
    if run.status in LIVE and has_probe(front.desk().catalog, run.graph, effect):
        _look_up(gate)
    _answer(gate, run)


@st.fragment(run_every=LOOK_S)
def _wait(effect: Effect) -> None:
    """Say how long a call may still happen; load the page again when that is over."""
    now = front.now()
    if not doubt.may_land(effect, now):
        st.rerun()
    st.info(
        f"It may still happen for {left(effect.settles_at, now)}. Then it can be answered.",
        icon=":material/hourglass:",
    )


def _look_up(gate: Gate) -> None:
    is_due = gate.wakes_at is not None and gate.wakes_at <= front.now()
    if st.button(
        "Look it up now",
        icon=":material/search:",
        key=f"look-{gate.id}",
        disabled=is_due,
        help="A worker asks the tool's probe; what it finds answers by itself.",
    ):

        def act() -> str:
            with front.runtime() as runtime:
                runtime.look_up(gate.id, by=front.person())
            return "A worker looks it up with its next beat. What it finds is said here."

        send(act, about=gate.id)
        st.rerun()


def _answer(gate: Gate, run: Run) -> None:
    """Ask what became of a call: four answers, of which those that its tool knows are allowed."""
    branches = _allowed(json.loads(gate.answer_schema or "{}"))
    options = [answer for answer in NAMES if answer in branches]
    said = st.radio(
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
            f"Answer: {NAMES[said].lower()}", type="primary", icon=":material/send:"
        ):
            then = _THEN[said] if run.status in LIVE else "Its run is over, and stays as it is."
            send_answer(gate, value, problems, then=then)


def _allowed(schema: dict[str, Any]) -> dict[DoubtAnswer, dict[str, Any] | None]:
    """Return the answers that a gate takes, and the schema of the result that goes with one."""
    found: dict[DoubtAnswer, dict[str, Any] | None] = {}
    for branch in schema.get("oneOf", ()):
        told: dict[str, Any] = branch["properties"]
        if "const" not in told["answer"]:
            found |= {DoubtAnswer(each): None for each in told["answer"]["enum"]}
        elif "result" in told:
            result = {"title": "The result", **told["result"], "$defs": schema.get("$defs", {})}
            found[DoubtAnswer(told["answer"]["const"])] = result
        else:
            found[DoubtAnswer(told["answer"]["const"])] = None
    return found
