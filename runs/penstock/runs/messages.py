"""The text of messages about gates.

Arguments come from a model, and from everybody who could talk to it. They cannot begin a line of
their own or reverse the direction of text: characters that do not print are escaped.
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
    """A message to a channel."""

    title: str
    """One line."""
    body: str


def compose(gate: Gate, kind: NoticeKind, *, now: datetime, link: str | None) -> Message:
    """Return the message about a gate; without a link it names the command."""
    question: object = json.loads(gate.question)
    about = _call_of(gate, question)
    what = _short(_subject(gate, question, about))
    left = "" if gate.expires_at is None else f", {_duration(gate.expires_at - now)} left"
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
        *_details(about),
        *_conditions(gate, now),
        f"Run: {gate.run_id}",
        f"Decide: {_how_to_decide(gate, link)}",
        "",
        *_full_question(gate, question, about),
    ]
    return Message(title=title, body="\n".join(lines))


def _call_of(gate: Gate, question: object) -> Mapping[str, Any]:
    """Return what is asked about a call; empty where something else is asked."""
    if gate.kind in {GateKind.APPROVAL, GateKind.IN_DOUBT}:
        return cast("Mapping[str, Any]", question)
    return {}


def _subject(gate: Gate, question: object, about: Mapping[str, Any]) -> object:
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


def _details(about: Mapping[str, Any]) -> list[str]:
    labels = {
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
    lines = [f"{label}: {_short(about[name])}" for name, label in labels.items() if about.get(name)]
    rules: list[str] = about.get("rules", [])
    if rules:
        lines.append(f"Rules: {_short(', '.join(rules))}")
    return lines


def _conditions(gate: Gate, now: datetime) -> list[str]:
    lines: list[str] = []
    if gate.approvals:
        needed = ", ".join(f"{count} of {group}" for group, count in gate.approvals.items())
        lines.append(f"Approvals: {_short(needed)}")
    if gate.expires_at is not None:
        then = "the run fails" if gate.on_expiry is OnExpiry.FAIL else "the call is refused"
        at = gate.expires_at.isoformat(timespec="seconds")
        lines.append(f"Expires: {at}, in {_duration(gate.expires_at - now)}; then {then}")
    return lines


def _how_to_decide(gate: Gate, link: str | None) -> str:
    command = f"penstock gates {gate.id}"
    if link is None:
        return command
    return f"{link} (for whoever follows it first, and after a login), or {command}"


def _full_question(gate: Gate, question: object, about: Mapping[str, Any]) -> list[str]:
    if gate.kind is GateKind.IN_DOUBT:
        # They are those of the ledger, with the fields that nobody is to be shown.
        return ["The gate shows the arguments."]
    title, asked = ("Arguments:", about["arguments"]) if about else ("Question:", question)
    shown = json.dumps(asked, indent=2, sort_keys=True, ensure_ascii=False)
    if len(shown) > ARGUMENTS_LIMIT:
        shown = f"{shown[:ARGUMENTS_LIMIT]}…\n(cut here; the gate has them whole)"
    return [title, *(_escaped(line) for line in shown.split("\n"))]


def _short(value: object) -> str:
    text = _escaped(str(value))
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"


def _escaped(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _duration(left: timedelta) -> str:
    minutes = max(0, int(left.total_seconds())) // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else "less than a minute"
