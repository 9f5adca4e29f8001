"""A gate as a card, and its parts in words: what it asks, of whom, until when, and its dangers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import streamlit as st
from pydantic_core import from_json

from penstock.contracts.call import Refused
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.inbox import ListedGate
from penstock.contracts.policy import OnExpiry
from penstock.graphs import Catalog
from penstock.nodes import Tool
from penstock.policies.facts.money import spell
from penstock.ui import navigation, session
from penstock.ui.components.badges import TOOL_CLASSES, badge
from penstock.ui.components.markdown import (
    ago,
    as_text,
    escaped,
    remaining,
    sentence,
    short,
    short_id,
    to_html,
)

SOON_S = 15 * 60
"""A gate with less time left is urgent."""
_KINDS: Mapping[GateKind, tuple[str, str, str]] = {
    GateKind.APPROVAL: ("blue", "approval", "verified_user"),
    GateKind.QUESTION: ("violet", "question", "help"),
    GateKind.IN_DOUBT: ("red", "in doubt", "warning"),
    GateKind.BUDGET: ("yellow", "budget", "savings"),
}


def question(gate: Gate) -> Mapping[str, Any]:
    """Return what a gate asks, as an object; anything else stands under `question`."""
    found: Any = from_json(gate.question)
    if isinstance(found, dict):
        return cast("Mapping[str, Any]", found)
    return {"question": found}


def is_forgotten(gate: Gate) -> bool:
    """Tell whether the question of a gate was erased with its run."""
    return gate.question == "null"


def title(gate: Gate) -> str:
    """Return the question of a gate, as a headline in Markdown."""
    asked = question(gate)
    if is_forgotten(gate):
        return "What was asked is forgotten"
    match gate.kind:
        case GateKind.APPROVAL:
            does = f": {escaped(asked['does'])}" if asked.get("does") else ""
            return f"`{_code(asked['may_it_happen'])}`{does}"
        case GateKind.IN_DOUBT:
            return f"Did `{_code(asked['did_it_happen'])}` happen?"
        case GateKind.BUDGET:
            return sentence(_headline(asked, gate))
        case GateKind.QUESTION:
            return escaped(short(_headline(asked, gate)))


def summary(gate: Gate) -> str:
    """Return what will really happen, or what there is to know, as one line of Markdown."""
    asked = question(gate)
    if is_forgotten(gate):
        return ""
    match gate.kind:
        case GateKind.APPROVAL | GateKind.IN_DOUBT:
            return arguments(asked["arguments"])
        case GateKind.BUDGET:
            return ""
        case GateKind.QUESTION:
            rest = {
                name: value
                for name, value in asked.items()
                if name not in {"question", "action_requests", "review_configs", "args"}
            }
            return arguments(rest)


def badges(gate: Gate, *, amount: str | None = None, is_simulated: bool = False) -> str:
    """Return the dangers of a gate, as badges."""
    asked = question(gate)
    colour, name, icon = _KINDS[gate.kind]
    found = [badge(colour, name, icon)]
    if amount is not None:
        found.append(badge("green", escaped(amount), "payments"))
    if gate.kind is GateKind.APPROVAL and not is_forgotten(gate):
        colour, name = TOOL_CLASSES.get(asked["effect"], ("gray", escaped(str(asked["effect"]))))
        found.append(badge(colour, name))
        facts: Mapping[str, Any] = asked.get("facts", {})
        if facts.get("saw_untrusted"):
            found.append(badge("orange", "has read untrusted content", "bug_report"))
        if facts.get("saw_private"):
            found.append(badge("violet", "has read private data", "lock"))
    if gate.edit is not None:
        found.append(badge("blue", f"edited by {escaped(gate.edit.by)}", "edit"))
    if is_simulated:
        found.append(badge("gray", "simulated"))
    return " ".join(found)


def spend(gate: Gate, graph: str, catalog: Catalog) -> str | None:
    """Return what a call spends; None where its tool does not say, or is not at hand."""
    tool = tool_of(gate, graph, catalog)
    if tool is None:
        return None
    checked = tool.check(question(gate)["arguments"])
    spend = None if isinstance(checked, Refused) else tool.spend(checked)
    return None if spend is None else spell(spend)


def tool_of(gate: Gate, graph: str, catalog: Catalog) -> Tool[Any] | None:
    """Return the tool that a gate asks about; None where the project's graphs are not at hand."""
    asked = question(gate)
    name = asked.get("may_it_happen") or asked.get("did_it_happen")
    if gate.effect_key is None or name is None or graph not in catalog:
        return None
    return catalog.get(graph).tools.get(name)


def deciders(gate: Gate, principal: str) -> str:
    """Return who decides at a gate, as Markdown."""
    match gate.kind:
        case GateKind.APPROVAL:
            groups = [f"{n} of **{escaped(name)}**" for name, n in (gate.approvals or {}).items()]
            more = ""
            if gate.escalated_at is not None and gate.escalates_to is not None:
                more = f", escalated to **{escaped(gate.escalates_to)}**"
            return f"asks {' and '.join(groups)}{more}"
        case GateKind.QUESTION:
            whom = f"**{escaped(principal)}**, whom the run acts for, or " if principal else ""
            return f"asks {whom}an operator"
        case _:
            return "asks an operator"


def time_left(gate: Gate, now: datetime) -> str:
    """Return how long a decision may take and what happens then, as Markdown."""
    if gate.expires_at is None:
        return f"asked {ago(gate.opened_at, now)}, and waits until somebody answers"
    then = "then the run fails" if gate.on_expiry is OnExpiry.FAIL else "then it is denied"
    text = f"{remaining(gate.expires_at, now)} left, {then}"
    is_soon = (gate.expires_at - now).total_seconds() < SOON_S
    return f":red[:material/timer: **{text}**]" if is_soon else f":material/timer: {text}"


def outcome(gate: Gate, now: datetime) -> str:
    """Return how a gate was closed, as Markdown."""
    if gate.status is GateStatus.OPEN and gate.expires_at is not None and gate.expires_at <= now:
        return f"expired {ago(gate.expires_at, now)}, before anybody had decided"
    at = "" if gate.closed_at is None else f" {ago(gate.closed_at, now)}"
    match gate.status:
        case GateStatus.DECIDED:
            what = gate.decision.value if gate.decision is not None else "answer"
            reason = f": {escaped(short(gate.reason))}" if gate.reason else ""
            verb = {"approve": "approved", "reject": "rejected", "respond": "answered"}
            return (
                f"{verb.get(what, 'answered')} by **{escaped(gate.decided_by or '')}**{at}{reason}"
            )
        case GateStatus.EXPIRED:
            return f"expired{at}, before anybody had decided"
        case GateStatus.CANCELLED:
            return f"closed{at}, because its run ended"
        case GateStatus.SUPERSEDED:
            return f"replaced{at}: another gate asks in its place, or what it allowed had changed"
        case _:
            return "open"


def is_over(gate: Gate, now: datetime) -> bool:
    """Tell whether a gate can be decided no more."""
    has_expired = gate.expires_at is not None and gate.expires_at <= now
    return gate.status is not GateStatus.OPEN or has_expired


def reviewed_calls(gate: Gate) -> Sequence[Mapping[str, Any]]:
    """Return the calls in a LangChain request for review; none for any other question."""
    asked = question(gate)
    if isinstance(asked.get("action_requests"), list):
        return cast("Sequence[Mapping[str, Any]]", asked["action_requests"])
    return [asked] if asked.get("type") == "tool_approval" else []


def arguments(found: Mapping[str, Any]) -> str:
    """Return arguments in a line of Markdown, as far as there is room."""
    parts = [
        f"{escaped(name)} **{escaped(short(as_text(value), 60))}**"
        for name, value in found.items()
        if value not in (None, "")
    ]
    return " · ".join(parts[:6]) + (f" · {len(parts) - 6} more" if len(parts) > 6 else "")


def card(listed: ListedGate, now: datetime, *, label: str, picks: bool = False) -> bool:
    """Show a gate with a link to it; tell whether it was picked."""
    gate = listed.gate
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"card-{gate.id}"
    ):
        st.html(_card_html(listed, now))
        # A link, and no button: what refreshes itself could lead back from where one goes.
        navigation.link("gate", f"**{label}**", icon=":material/arrow_forward:", gate=gate.id)
        return picks and st.checkbox("Pick", key=f"pick-{gate.id}")


def _headline(asked: Mapping[str, Any], gate: Gate) -> str:
    headline = asked.get("question")
    if isinstance(headline, str):
        return headline
    reviewed = reviewed_calls(gate)
    if reviewed:
        names = ", ".join(str(call.get("name")) for call in reviewed)
        return f"Review {len(reviewed)} calls: {names}" if len(reviewed) > 1 else f"Review {names}"
    return as_text(headline) if headline is not None else gate.question


def _code(text: str) -> str:
    """Return a name as it may stand between backticks."""
    return text.replace("`", "'")


def _card_html(listed: ListedGate, now: datetime) -> str:
    """Return a card as HTML: one element in place of many, since there are many cards."""
    gate = listed.gate
    amount = spend(gate, listed.graph, session.desk().catalog)
    line = summary(gate)
    parts = [
        f"<h2>{to_html(title(gate))}</h2>",
        f"<p>{to_html(line)}</p>" if line else "",
        f'<p class="pen-badges">{to_html(badges(gate, amount=amount))}</p>',
        f'<p class="pen-small">{to_html(_small(listed, now))}</p>',
    ]
    return f'<div class="pen-card">{"".join(parts)}</div>'


def _small(listed: ListedGate, now: datetime) -> str:
    gate = listed.gate
    who = f"{escaped(listed.graph)} for {escaped(listed.principal or 'nobody')}"
    run = f"run {escaped(short_id(gate.run_id))}"
    if is_over(gate, now):
        return f"{who} · {run} · {outcome(gate, now)}"
    rules = question(gate).get("rules")
    because = f" · because of {escaped(', '.join(rules))}" if rules else ""
    whom = deciders(gate, listed.principal)
    return f"{who} · {run} · {whom} · {time_left(gate, now)}{because}"
