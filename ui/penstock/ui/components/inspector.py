"""One step or one call of a run: what went in, what came out, and why it was allowed."""

import json
from collections.abc import Callable, Sequence

import streamlit as st
from pydantic_core import from_json

from penstock.checkpoints import ledger
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.step import Step, StepStatus
from penstock.traces.ids import span_hex, step_span_id
from penstock.ui import front, places, text
from penstock.ui.components import asked
from penstock.ui.components.drawing import drawing
from penstock.ui.components.listing import Row, listing
from penstock.ui.components.masks import masking
from penstock.ui.components.selection import CALL, STEP, Chosen, pick
from penstock.ui.components.stepping import came_to
from penstock.ui.components.story import Story
from penstock.ui.components.values import values
from penstock.ui.components.words import badge, instant, plain, sentence, short, spelled

EFFECTS = {
    EffectStatus.STARTED: ("blue", "▶ under way"),
    EffectStatus.SUCCEEDED: ("green", "✓ happened"),
    EffectStatus.FAILED: ("red", "✗ did not happen"),
    EffectStatus.IN_DOUBT: ("orange", "? in doubt"),
    EffectStatus.COMPENSATED: ("violet", "↺ undone"),
}
STEPS = {
    StepStatus.STARTED: ("blue", "▶ started"),
    StepStatus.SUCCEEDED: ("green", "✓ succeeded"),
    StepStatus.PARKED: ("orange", "◐ parked"),
    StepStatus.FAILED: ("red", "✗ failed"),
}
STEP_ROWS = 500
"""So many steps are listed, the last ones."""


def steps(story: Story, chosen: Chosen) -> None:
    """Show the steps of a run as a table."""
    if not story.steps:
        st.caption("It has taken no step yet.")
        return
    hide = hiding(story)
    listed = story.steps[-STEP_ROWS:]
    rows = [
        Row(
            pick=f"{STEP}{step.task_id}",
            state=str(step.status),
            is_chosen=chosen.has_step(step),
            cells=[
                STEPS[step.status][1],
                step.node.replace("|", " / "),
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
    drawing(
        listing(heads, rows),
        key="run-steps",
        pick=lambda picked: pick(picked, story.steps, chosen),
    )
    if len(listed) < len(story.steps):
        st.caption(f"The last {len(listed)} of {len(story.steps):,}.")


def calls(story: Story, chosen: Chosen) -> None:
    """Show the tool calls of a run as a table, and those that have not begun."""
    begun = {effect.key for effect in story.effects}
    waiting = {each.effect_key: each for each in story.decided if each.effect_key not in begun}
    if not story.effects and not waiting:
        st.caption("It has called no tool yet.")
        return
    if story.effects:
        drawing(
            _listed(story, story.effects, chosen),
            key="run-calls",
            pick=lambda picked: pick(picked, story.steps, chosen),
        )
    for each in waiting.values():
        st.markdown(f"**{plain(each.request.tool)}** has not begun: {_said(each)}")


def inspect(story: Story, chosen: Chosen) -> None:
    """Show whole what is chosen."""
    if chosen.call is not None:
        _call(story, chosen.call, chosen.step)
    elif chosen.step is not None:
        _step(story, chosen.step)
    elif story.steps:
        st.caption(
            ":material/left_click: Choose a step or a call, in a picture or in a table, to see it"
            " whole. The address of this page then leads to it."
        )


def _step(story: Story, step: Step) -> None:
    same = [each for each in story.steps if each.task_id == step.task_id]
    with st.container(border=True):
        st.markdown(
            f"##### {plain(step.node.replace('|', ' / '))}\n{badge(*STEPS[step.status])}"
            f" {badge('gray', str(step.kind))}"
        )
        if step.error:
            st.code(hiding(story)(step.error), language=None, wrap_lines=True)
        came_to(story, step)
        made = story.calls.get(step.task_id, ())
        if made:
            st.markdown("**Calls that it made**")
            drawing(
                _listed(story, made, Chosen()),
                key=f"calls-of-{step.task_id}",
                pick=lambda picked: pick(picked, story.steps, Chosen()),
            )
        st.markdown(f"**Executed {_times(len(same))}**")
        st.markdown("\n".join(_attempt(story, each) for each in same))


def _attempt(story: Story, step: Step) -> str:
    took = f", took {_took(step)}" if step.ended_at is not None else ""
    links = front.desk().settings.phoenix_links()
    told = f"- claim {step.epoch} · **{step.status}** · {instant(step.started_at)}{took}"
    if links is None:
        return told
    span = span_hex(step_span_id(story.run.id, step.epoch, step.task_id))
    return f"{told} · [its span in Phoenix]({links.span(span)})"


def _call(story: Story, effect: Effect, step: Step | None) -> None:
    whole, told = front.read(
        lambda connection: (
            ledger.get(connection, effect.key),
            ledger.reports(connection, effect.key),
        )
    )
    hide = hiding(story)
    with st.container(border=True):
        st.markdown(
            f"##### {plain(whole.tool)}\nversion {plain(whole.tool_version)}, {whole.effect}"
            f" {badge(*EFFECTS[whole.status])}"
        )
        if step is not None:
            places.link(
                "run",
                f"Made in step {plain(step.node.replace('|', ' / '))}",
                icon=":material/arrow_upward:",
                run=story.run.id,
                step=step.task_id,
            )
        left, right = st.columns(2)
        with left:
            values(json.loads(whole.arguments), heading="argument")
        with right:
            if whole.error_message is not None:
                st.markdown(f"**Error** `{whole.error_code}`: {plain(hide(whole.error_message))}")
            if whole.result is not None:
                st.markdown("**Result**")
                st.code(hide(spelled(from_json(whole.result))), language=None, wrap_lines=True)
            for each in [each for each in story.decided if each.effect_key == whole.key][-1:]:
                st.markdown(f"**Policy**: {_said(each)}")
            for gate in [gate for gate in story.gates if gate.effect_key == whole.key]:
                st.markdown(f"**Gate**: {asked.outcome(gate, front.now())}")
                places.link("gate", "Look at it", gate=gate.id)
        st.markdown(
            "  \n".join(
                f"{instant(line.at)} · attempt {line.attempt} · **{line.kind}**"
                f" · {plain(line.actor)}{f': {plain(line.detail)}' if line.detail else ''}"
                for line in told
            )
        )
        st.caption(
            f"key {whole.key[:16]} · attempt {whole.attempt} · claim {whole.epoch}"
            + (f" · business key {plain(whole.business_key)}" if whole.business_key else "")
        )


def _listed(story: Story, effects: Sequence[Effect], chosen: Chosen) -> str:
    hide = hiding(story)
    rows = [
        Row(
            pick=f"{CALL}{effect.key}",
            state=str(effect.status),
            is_chosen=chosen.has_call(effect),
            cells=[
                EFFECTS[effect.status][1],
                effect.tool,
                short(effect.arguments),
                short(hide(effect.error_message or effect.result or "")),
                str(effect.attempt),
                text.instant(effect.first_started_at),
            ],
        )
        for effect in effects
    ]
    return listing(("State", "Tool", "Arguments", "Came to", "Attempts", "Began"), rows)


def hiding(story: Story) -> Callable[[str], str]:
    """Return what takes out of a text what nobody is to be shown."""
    masks = masking(story)
    return (lambda text: text) if masks is None else masks.text


def _said(each: RecordedDecision) -> str:
    decision = each.decision
    rules = f" ({plain(', '.join(decision.reasons))})" if decision.reasons else ""
    return f"{decision.verdict}{rules}. {sentence(decision.message)}"


def _took(step: Step) -> str:
    if step.ended_at is None:
        return ""
    return text.age((step.ended_at - step.started_at).total_seconds())


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times, as one task"
