"""What people are told about a gate, in words.

Arguments come from a model, and from whoever could talk to it. Nothing in them can begin a line of
its own or turn the writing round: what does not print is shown as an escape.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never, cast

from penstock.contracts.gate import Gate, GateKind, NoticeKind
from penstock.contracts.policy import OnExpiry

TEXT_LIMIT = 300
"""A value in a sentence is cut to so many characters."""
ARGUMENTS_LIMIT = 4000
"""Arguments, or what a graph asks, are cut to so many characters; the gate has them whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent to a channel."""

    title: str
    """One line."""
    body: str


def compose(gate: Gate, kind: NoticeKind, *, now: datetime, link: str | None) -> Message:
    """Return what people are told about a gate; without a link they are given the command."""
    question: object = json.loads(gate.question)
    about = _call(gate, question)
    what = _plain(_what(gate, question, about))
    left = "" if gate.expires_at is None else f", {_span(gate.expires_at - now)} left"
    match kind:
        case NoticeKind.OPENED:
            title = f"To decide: {what}{left}"
        case NoticeKind.EXPIRING:
            title = f"Nobody has decided: {what}{left}"
        case NoticeKind.ESCALATED:
            title = f"Escalated to you: {what}{left}"
        case _:
            assert_never(kind)
    lines = [
        *_asked(about),
        *_terms(gate, now),
        f"Run: {gate.run_id}",
        f"Decide: {_way(gate, link)}",
        "",
        *_whole(gate, question, about),
    ]
    return Message(title=title, body="\n".join(lines))


def _call(gate: Gate, question: object) -> Mapping[str, Any]:
    """Return what is asked about a call; empty where something else is asked."""
    if gate.kind in {GateKind.APPROVAL, GateKind.IN_DOUBT}:
        return cast("Mapping[str, Any]", question)
    return {}


def _what(gate: Gate, question: object, about: Mapping[str, Any]) -> object:
    match gate.kind:
        case GateKind.APPROVAL:
            return about["may_it_happen"]
        case GateKind.IN_DOUBT:
            return f"did {about['did_it_happen']} happen?"
        case GateKind.BUDGET:
            return cast("Mapping[str, Any]", question)["question"]
        case GateKind.QUESTION:
            return question if isinstance(question, str) else "a question of the graph"
        case _:
            assert_never(gate.kind)


def _asked(about: Mapping[str, Any]) -> list[str]:
    named = {
        "may_it_happen": "May it happen",
        "did_it_happen": "Did it happen",
        "why_in_doubt": "Why nobody knows",
        "does": "What it does",
        "effect": "Effect",
        "acts_for": "The run acts for",
        "agent": "Agent",
        "edited_by": "Arguments edited by",
        "why": "Why you are asked",
    }
    told = [f"{words}: {_plain(about[name])}" for name, words in named.items() if about.get(name)]
    rules: list[str] = about.get("rules", [])
    if rules:
        told.append(f"Rules: {_plain(', '.join(rules))}")
    return told


def _terms(gate: Gate, now: datetime) -> list[str]:
    told: list[str] = []
    if gate.approvals:
        needed = ", ".join(f"{count} of {group}" for group, count in gate.approvals.items())
        told.append(f"Approvals: {_plain(needed)}")
    if gate.expires_at is not None:
        then = "the run fails" if gate.on_expiry is OnExpiry.FAIL else "the call is refused"
        at = gate.expires_at.isoformat(timespec="seconds")
        told.append(f"Expires: {at}, in {_span(gate.expires_at - now)}; then {then}")
    return told


def _way(gate: Gate, link: str | None) -> str:
    command = f"penstock gates {gate.id}"
    if link is None:
        return command
    return f"{link} (for whoever follows it first, and after a login), or {command}"


def _whole(gate: Gate, question: object, about: Mapping[str, Any]) -> list[str]:
    if gate.kind is GateKind.IN_DOUBT:
        # They are those of the ledger, with the fields that nobody is to be shown.
        return ["The gate shows the arguments."]
    title, asked = ("Arguments:", about["arguments"]) if about else ("Question:", question)
    shown = json.dumps(asked, indent=2, sort_keys=True, ensure_ascii=False)
    if len(shown) > ARGUMENTS_LIMIT:
        shown = f"{shown[:ARGUMENTS_LIMIT]}…\n(cut here; the gate has them whole)"
    return [title, *(_printed(line) for line in shown.split("\n"))]


def _plain(value: object) -> str:
    text = _printed(str(value))
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"


def _printed(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _span(left: timedelta) -> str:
    minutes = max(0, int(left.total_seconds())) // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else "less than a minute"
