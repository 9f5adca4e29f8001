"""A call in doubt: what is known of it, what its probe can tell, and why nobody can know."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from penstock.contracts.effect import Effect, EffectStatus, Report, ReportKind
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.tool import EffectClass
from penstock.runs.answers import has_probe
from penstock.ui import session
from penstock.ui.components.badges import badge
from penstock.ui.components.markdown import ago, escaped, remaining, sentence, utc_instant
from penstock.ui.components.table import show_table, show_values

_WHY: Mapping[EffectClass, str] = {
    EffectClass.READ: "It only reads.",
    EffectClass.IDEMPOTENT: "It could be repeated without harm, but its run does not go on.",
    EffectClass.TRANSACTIONAL: "It could be repeated without harm, but its run does not go on.",
    EffectClass.KEYED: (
        "Its service would know a repetition by the call's key, but the run does not go on, or the"
        " key is too old by now."
    ),
    EffectClass.PROBE: "It acts outside, and only its service knows what became of it.",
    EffectClass.UNSAFE: (
        "It acts outside, its service does not know a repetition from a second call, and so it is"
        " not made again without being asked."
    ),
}
_STORY: Mapping[ReportKind, str] = {
    ReportKind.STARTED: ":blue[:material/play_circle:] began",
    ReportKind.SUCCEEDED: ":green[:material/check_circle:] happened",
    ReportKind.FAILED: ":red[:material/cancel:] did not happen",
    ReportKind.IN_DOUBT: ":orange[:material/warning:] in doubt",
    ReportKind.LOOKED_UP: ":gray[:material/search:] looked up, without an answer",
    ReportKind.DECIDED: ":violet[:material/person:] somebody said",
    ReportKind.COMPENSATED: ":violet[:material/undo:] undone",
}


def title(effect: Effect) -> str:
    """Return the question about a call in doubt, as a headline in Markdown."""
    name = effect.tool.replace("`", "'")
    return f"Did `{name}` happen?"


def may_still_happen(effect: Effect, now: datetime) -> bool:
    """Tell whether an attempt may still happen, so that nobody can yet answer that it did not."""
    return effect.status is EffectStatus.IN_DOUBT and now < effect.settles_at


def waits_for(effect: Effect, gate: Gate | None, now: datetime) -> str:
    """Return what a call in doubt waits for, as a badge."""
    if effect.wants_undoing:
        return badge("violet", "is being undone", "undo")
    if may_still_happen(effect, now):
        return badge(
            "gray", f"may still happen for {remaining(effect.settles_at, now)}", "hourglass"
        )
    if gate is not None and gate.status is GateStatus.OPEN and gate.wakes_at is not None:
        when = "now" if gate.wakes_at <= now else f"in {remaining(gate.wakes_at, now)}"
        return badge("blue", f"is looked up {when}", "search")
    return badge("red", "waits for an answer", "front_hand")


def show_evidence(
    effect: Effect, gate: Gate | None, story: Sequence[Report], *, graph: str
) -> None:
    """Show all that is known of a call in doubt."""
    now = session.now()
    st.header("What is known", anchor=False)
    if effect.status is EffectStatus.IN_DOUBT:
        reason = sentence(effect.error_message or "its worker was gone before it was known")
        st.markdown(
            f"**Why nobody can know.** {reason[0].upper()}{reason[1:]}. {_WHY[effect.effect]}"
        )
        st.markdown(f":material/search: {_probe(effect, gate, story, graph=graph, now=now)}")
    if may_still_happen(effect, now):
        st.warning(
            f"It may still happen until {utc_instant(effect.settles_at)}; it is answered after"
            " that.",
            icon=":material/hourglass:",
        )
    show_values(json.loads(effect.arguments), heading="argument")
    facts = _facts(effect, story)
    show_table({"about the call": list(facts), "is": list(facts.values())}, border="horizontal")
    # In a table it would be cut off, and whoever asks the service may need it.
    st.caption(f"Its key: {escaped(effect.key)}")
    st.markdown("**Its story**")
    for line in story:
        detail = f": {escaped(line.detail)}" if line.detail else ""
        st.markdown(f"{_STORY[line.kind]}{detail}")
        st.caption(f"{utc_instant(line.at)} · attempt {line.attempt} · {escaped(line.actor)}")


def _probe(
    effect: Effect, gate: Gate | None, story: Sequence[Report], *, graph: str, now: datetime
) -> str:
    """Return what the call's probe found, and when it is asked again."""
    found = [line for line in story if line.kind is ReportKind.LOOKED_UP]
    last = ""
    if found:
        times = "once" if len(found) == 1 else f"{len(found)} times"
        why = f": {escaped(found[-1].detail)}" if found[-1].detail else ""
        last = (
            f"Its probe was asked {times}, last {ago(found[-1].at, now)}, and could not tell{why}. "
        )
    if gate is not None and gate.status is GateStatus.OPEN and gate.wakes_at is not None:
        if gate.wakes_at <= now:
            return f"{last}A worker asks its probe now, as soon as one takes the run."
        when = f"in {remaining(gate.wakes_at, now)}, at {utc_instant(gate.wakes_at)}"
        return f"{last}Its probe is asked {when}."
    if last:
        return f"{last}It is not asked again by itself."
    if has_probe(session.desk().catalog, graph, effect):
        return "Its probe was not asked yet."
    if graph not in session.desk().catalog:
        return "Nobody looks it up; whether its tool has a probe is not known here."
    return "Its tool has no probe, so no machine can look it up."


def _facts(effect: Effect, story: Sequence[Report]) -> Mapping[str, str]:
    began = [line for line in story if line.kind is ReportKind.STARTED]
    worker = f" by worker {escaped(began[-1].actor)}" if began else ""
    facts = {
        "tool": f"{escaped(effect.tool)}, version {escaped(effect.tool_version)}",
        "effect class": escaped(effect.effect),
        "attempts": f"{effect.attempt}, the first at {utc_instant(effect.first_started_at)}",
        "the last began": f"{utc_instant(effect.started_at)}{worker}, claim {effect.epoch}",
        "could happen until": utc_instant(effect.settles_at),
    }
    if effect.error_code is not None:
        facts["error"] = f"{escaped(effect.error_code)}: {escaped(effect.error_message or '')}"
    if effect.business_key is not None:
        facts["business key"] = escaped(effect.business_key)
    return facts
