"""One step or one call of a run: what went in, what came out, and why it was allowed."""

import json
from collections.abc import Sequence

import streamlit as st
from pydantic_core import from_json

from penstock.checkpoints import ledger
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.gate import Gate
from penstock.contracts.policy import Decided
from penstock.contracts.run import Run
from penstock.contracts.step import Step
from penstock.ui import front, places
from penstock.ui.cli import texts
from penstock.ui.components import asked
from penstock.ui.components.table import opened
from penstock.ui.components.values import values
from penstock.ui.components.words import badge, instant, plain, sentence, short, spelled

EFFECTS = {
    EffectStatus.STARTED: ("blue", "▶ under way"),
    EffectStatus.SUCCEEDED: ("green", "✓ happened"),
    EffectStatus.FAILED: ("red", "✗ did not happen"),
    EffectStatus.IN_DOUBT: ("orange", "? in doubt"),
    EffectStatus.COMPENSATED: ("violet", "↺ undone"),
}


def inspect(
    run: Run,
    steps: Sequence[Step],
    effects: Sequence[Effect],
    decided: Sequence[Decided],
    gates: Sequence[Gate],
) -> None:
    """Show the steps and the calls of a run, and whole the one that was opened."""
    calls, taken, given = st.tabs(
        [f"Tool calls ({len(effects)})", f"Steps ({len(steps)})", "Input"]
    )
    with calls:
        _calls(effects, decided, gates)
    with taken:
        _steps(steps)
    with given:
        if run.input == "null":
            st.caption("What it was given is forgotten.")
        else:
            st.json(from_json(run.input), expanded=2)


def _calls(effects: Sequence[Effect], decided: Sequence[Decided], gates: Sequence[Gate]) -> None:
    begun = {effect.key for effect in effects}
    waiting = [each for each in decided if each.effect_key not in begun]
    if not effects and not waiting:
        st.caption("It has called no tool yet.")
        return
    if effects:
        row = opened(
            {
                "State": [EFFECTS[effect.status][1] for effect in effects],
                "Tool": [effect.tool for effect in effects],
                "Arguments": [short(effect.arguments) for effect in effects],
                "Came to": [
                    short(effect.error_message or effect.result or "") for effect in effects
                ],
                "Attempts": [effect.attempt for effect in effects],
                "Began": [texts.instant(effect.first_started_at) for effect in effects],
            },
            key="run-calls",
        )
        if row is None:
            st.caption("Choose a row to see the call whole.")
        else:
            _call(effects[row], decided, gates)
    last = {each.effect_key: each for each in waiting}
    for each in last.values():
        st.markdown(f"**{plain(each.request.tool)}** has not begun: {_said(each)}")


def _call(effect: Effect, decided: Sequence[Decided], gates: Sequence[Gate]) -> None:
    whole, story = front.read(
        lambda connection: (
            ledger.get(connection, effect.key),
            ledger.reports(connection, effect.key),
        )
    )
    colour, said = EFFECTS[whole.status]
    with st.container(border=True):
        st.markdown(
            f"**{plain(whole.tool)}**, version {plain(whole.tool_version)}, {whole.effect}"
            f" {badge(colour, said)}"
        )
        left, right = st.columns(2)
        with left:
            values(json.loads(whole.arguments), heading="argument")
        with right:
            if whole.error_message is not None:
                st.markdown(f"**Error** `{whole.error_code}`: {plain(whole.error_message)}")
            if whole.result is not None:
                st.markdown("**Result**")
                st.code(spelled(from_json(whole.result)), language=None, wrap_lines=True)
            for each in [each for each in decided if each.effect_key == whole.key][-1:]:
                st.markdown(f"**Policy**: {_said(each)}")
            for gate in [gate for gate in gates if gate.effect_key == whole.key]:
                st.markdown(f"**Gate**: {asked.outcome(gate, front.now())}")
                places.link("gate", "Look at it", gate=gate.id)
        st.markdown(
            "  \n".join(
                f"{instant(line.at)} · attempt {line.attempt} · **{line.kind}**"
                f" · {plain(line.actor)}{f': {plain(line.detail)}' if line.detail else ''}"
                for line in story
            )
        )
        st.caption(
            f"key {whole.key[:16]} · attempt {whole.attempt} · claim {whole.epoch}"
            + (f" · business key {plain(whole.business_key)}" if whole.business_key else "")
        )


def _said(each: Decided) -> str:
    decision = each.decision
    rules = f" ({plain(', '.join(decision.reasons))})" if decision.reasons else ""
    return f"{decision.verdict}{rules}. {sentence(decision.message)}"


def _steps(steps: Sequence[Step]) -> None:
    if not steps:
        st.caption("It has taken no step yet.")
        return
    row = opened(
        {
            "State": [str(step.status) for step in steps],
            "Node": [step.node.replace("|", " / ") for step in steps],
            "Kind": [str(step.kind) for step in steps],
            "Claim": [step.epoch for step in steps],
            "Began": [texts.instant(step.started_at) for step in steps],
            "Took": [
                ""
                if step.ended_at is None
                else texts.age((step.ended_at - step.started_at).total_seconds())
                for step in steps
            ],
            "Error": [short(step.error or "") for step in steps],
        },
        key="run-steps",
    )
    if row is None:
        st.caption("Choose a row to see the attempts of a step.")
        return
    step = steps[row]
    same = [each for each in steps if each.task_id == step.task_id]
    with st.container(border=True):
        st.markdown(f"**{plain(step.node)}**, executed {len(same)} times as one task")
        for each in same:
            began = instant(each.started_at)
            end = "" if each.ended_at is None else f" to {instant(each.ended_at)}"
            st.markdown(f"- claim {each.epoch} · **{each.status}** · {began}{end}")
        if step.error:
            st.code(step.error, language=None, wrap_lines=True)
