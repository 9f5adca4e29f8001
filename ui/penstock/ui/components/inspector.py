"""One step or one call of a run: what went in, what came out, and why it was allowed."""

import json
from collections.abc import Callable, Sequence

import streamlit as st
from pydantic_core import from_json

from penstock.checkpoints import ledger
from penstock.contracts.effect import Effect
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.step import Step
from penstock.traces.ids import span_hex, step_span_id
from penstock.ui import navigation, session, text
from penstock.ui.components import gate_card
from penstock.ui.components.badges import CALL_STATES, STEP_STATES, badge
from penstock.ui.components.drawing import ClickableRow, clickable_table, draw
from penstock.ui.components.markdown import (
    as_text,
    escaped,
    node_name,
    sentence,
    short,
    utc_instant,
)
from penstock.ui.components.run_details import CALL, STEP, RunDetails, Selection, masking, select
from penstock.ui.components.state_history import show_step_states
from penstock.ui.components.table import show_values

STEP_ROWS = 500
"""At most so many steps are listed, the last ones."""


def steps_table(details: RunDetails, selected: Selection) -> None:
    """Show the steps of a run as a table."""
    if not details.steps:
        st.caption("It has taken no step yet.")
        return
    hide = text_mask(details)
    listed = details.steps[-STEP_ROWS:]
    rows = [
        ClickableRow(
            pick=f"{STEP}{step.task_id}",
            state=str(step.status),
            is_chosen=selected.has_step(step),
            cells=[
                STEP_STATES[step.status][1],
                node_name(step.node),
                str(step.kind),
                str(step.epoch),
                text.instant(step.started_at),
                _took(step),
                short(hide(step.error or "")),
            ],
        )
        for step in listed
    ]
    heads = ("State", "Node", "Kind", "Claim", "Began", "Took", "Error")
    draw(
        clickable_table(heads, rows),
        key="run-steps",
        pick=lambda picked: select(picked, details.steps, selected),
    )
    if len(listed) < len(details.steps):
        st.caption(f"The last {len(listed)} of {len(details.steps):,}.")


def calls_table(details: RunDetails, selected: Selection) -> None:
    """Show the tool calls of a run as a table, and the decided calls that have not begun."""
    begun = {effect.key for effect in details.effects}
    waiting = {each.effect_key: each for each in details.decided if each.effect_key not in begun}
    if not details.effects and not waiting:
        st.caption("It has called no tool yet.")
        return
    if details.effects:
        draw(
            _listed(details, details.effects, selected),
            key="run-calls",
            pick=lambda picked: select(picked, details.steps, selected),
        )
    for each in waiting.values():
        st.markdown(f"**{escaped(each.request.tool)}** has not begun: {_decision(each)}")


def inspect(details: RunDetails, selected: Selection) -> None:
    """Show the selected step or call whole."""
    if selected.call is not None:
        _call(details, selected.call, selected.step)
    elif selected.step is not None:
        _step(details, selected.step)
    elif details.steps:
        st.caption(
            ":material/left_click: Choose a step or a call, in a picture or in a table, to see it"
            " whole. The address of this page then leads to it."
        )


def _step(details: RunDetails, step: Step) -> None:
    same = [each for each in details.steps if each.task_id == step.task_id]
    with st.container(border=True):
        st.markdown(
            f"##### {escaped(node_name(step.node))}\n{badge(*STEP_STATES[step.status])}"
            f" {badge('gray', str(step.kind))}"
        )
        if step.error:
            st.code(text_mask(details)(step.error), language=None, wrap_lines=True)
        show_step_states(details, step)
        made = details.calls.get(step.task_id, ())
        if made:
            st.markdown("**Calls that it made**")
            draw(
                _listed(details, made, Selection()),
                key=f"calls-of-{step.task_id}",
                pick=lambda picked: select(picked, details.steps, Selection()),
            )
        st.markdown(f"**Executed {_times(len(same))}**")
        st.markdown("\n".join(_attempt(details, each) for each in same))


def _attempt(details: RunDetails, step: Step) -> str:
    took = f", took {_took(step)}" if step.ended_at is not None else ""
    links = session.desk().settings.phoenix_links()
    line = f"- claim {step.epoch} · **{step.status}** · {utc_instant(step.started_at)}{took}"
    if links is None:
        return line
    span = span_hex(step_span_id(details.run.id, step.epoch, step.task_id))
    return f"{line} · [its span in Phoenix]({links.span(span)})"


def _call(details: RunDetails, effect: Effect, step: Step | None) -> None:
    whole, reports = session.read(
        lambda connection: (
            ledger.get(connection, effect.key),
            ledger.reports(connection, effect.key),
        )
    )
    hide = text_mask(details)
    with st.container(border=True):
        st.markdown(
            f"##### {escaped(whole.tool)}\nversion {escaped(whole.tool_version)}, {whole.effect}"
            f" {badge(*CALL_STATES[whole.status])}"
        )
        if step is not None:
            navigation.link(
                "run",
                f"Made in step {escaped(node_name(step.node))}",
                icon=":material/arrow_upward:",
                run=details.run.id,
                step=step.task_id,
            )
        left, right = st.columns(2)
        with left:
            show_values(json.loads(whole.arguments), heading="argument")
        with right:
            if whole.error_message is not None:
                st.markdown(f"**Error** `{whole.error_code}`: {escaped(hide(whole.error_message))}")
            if whole.result is not None:
                st.markdown("**Result**")
                st.code(hide(as_text(from_json(whole.result))), language=None, wrap_lines=True)
            for each in [each for each in details.decided if each.effect_key == whole.key][-1:]:
                st.markdown(f"**Policy**: {_decision(each)}")
            for gate in [gate for gate in details.gates if gate.effect_key == whole.key]:
                st.markdown(f"**Gate**: {gate_card.outcome(gate, session.now())}")
                navigation.link("gate", "Look at it", gate=gate.id)
        st.markdown(
            "  \n".join(
                f"{utc_instant(line.at)} · attempt {line.attempt} · **{line.kind}**"
                f" · {escaped(line.actor)}{f': {escaped(line.detail)}' if line.detail else ''}"
                for line in reports
            )
        )
        st.caption(
            f"key {whole.key[:16]} · attempt {whole.attempt} · claim {whole.epoch}"
            + (f" · business key {escaped(whole.business_key)}" if whole.business_key else "")
        )


def _listed(details: RunDetails, effects: Sequence[Effect], selected: Selection) -> str:
    hide = text_mask(details)
    rows = [
        ClickableRow(
            pick=f"{CALL}{effect.key}",
            state=str(effect.status),
            is_chosen=selected.has_call(effect),
            cells=[
                CALL_STATES[effect.status][1],
                effect.tool,
                short(effect.arguments),
                short(hide(effect.error_message or effect.result or "")),
                str(effect.attempt),
                text.instant(effect.first_started_at),
            ],
        )
        for effect in effects
    ]
    return clickable_table(("State", "Tool", "Arguments", "Came to", "Attempts", "Began"), rows)


def text_mask(details: RunDetails) -> Callable[[str], str]:
    """Return a function that hides sensitive values in a text."""
    masks = masking(details)
    return (lambda text: text) if masks is None else masks.mask_text


def _decision(each: RecordedDecision) -> str:
    decision = each.decision
    rules = f" ({escaped(', '.join(decision.reasons))})" if decision.reasons else ""
    return f"{decision.verdict}{rules}. {sentence(decision.message)}"


def _took(step: Step) -> str:
    if step.ended_at is None:
        return ""
    return text.age((step.ended_at - step.started_at).total_seconds())


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times, as one task"
