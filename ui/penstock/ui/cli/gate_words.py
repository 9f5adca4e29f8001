"""Gates in words: what each asks, of whom, and how it is decided."""

import json
import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from pydantic_core import from_json

from penstock.contracts.amounts import write_amount
from penstock.contracts.gate import Gate, GateKind, GateStatus, Vote
from penstock.ui.cli.output import table
from penstock.ui.cli.sample import sample
from penstock.ui.cli.texts import age, instant, short


def of_vote(vote: Vote) -> dict[str, Any]:
    """Return a vote as JSON has it."""
    return {
        "person": vote.person,
        "seat": vote.seat,
        "kind": str(vote.kind),
        "reason": vote.reason,
        "channel": str(vote.channel),
        "at": vote.at,
    }


def asked(gate: Gate) -> str:
    """Return the beginning of what a gate asks; of an object, what stands under `question`."""
    found: Any = from_json(gate.question)
    if gate.kind is GateKind.APPROVAL:
        arguments = json.dumps(found["arguments"], ensure_ascii=False)
        return short(f"{found['may_it_happen']} {arguments}")
    if gate.kind is GateKind.BUDGET:
        return found["question"]
    if isinstance(found, dict):
        found = cast("dict[str, Any]", found).get("question")
    return short(found if isinstance(found, str) else gate.question)


def in_short(gate: Gate, now: datetime) -> Sequence[str]:
    """Return what somebody who may decide a gate has to know first, in a few lines."""
    open_for = age((now - gate.opened_at).total_seconds())
    lines = [f"gate {gate.id} of run {gate.run_id}, open for {open_for}", f"  {asked(gate)}"]
    if gate.kind is GateKind.APPROVAL:
        left = "" if gate.expires_at is None else age((gate.expires_at - now).total_seconds())
        lines.append(f"  {wanted(gate)}; {left} left; {_why(gate)}")
    return [*lines, f"  next: {decide_command(gate)}"]


def wanted(gate: Gate) -> str:
    """Say whose approval a gate wants."""
    approvals = gate.approvals or {}
    return "wants " + " and ".join(f"{count} of {group}" for group, count in approvals.items())


def whole(gate: Gate, votes: Sequence[Vote]) -> Sequence[Any]:
    """Return all there is to know of a gate."""
    shown: dict[str, Any] = from_json(gate.question) if gate.kind is GateKind.APPROVAL else {}
    rows = {
        "gate": gate.id,
        "kind": str(gate.kind),
        "status": str(gate.status),
        "run": gate.run_id,
        "asks": f"{shown['may_it_happen']}: {shown['does']}" if shown else _asks(gate),
        "arguments": json.dumps(shown["arguments"], ensure_ascii=False) if shown else "",
        "acts for": f"{shown['acts_for']}, through {shown['agent']}" if shown else "",
        "edited by": shown.get("edited_by") or "",
        "because": f"{shown['why']}" if shown else "",
        "facts": json.dumps(shown["facts"], ensure_ascii=False) if shown else "",
        "of": wanted(gate) if shown else "",
        "opened": instant(gate.opened_at),
        "expires": instant(gate.expires_at),
        "then": f"{gate.on_expiry}" if gate.on_expiry else "",
        "escalates": f"{instant(gate.escalates_at)} to {gate.escalates_to}"
        if gate.escalates_to
        else "",
        "answer": gate.answer or "",
        "closed": f"{instant(gate.closed_at)} by {gate.decided_by}" if gate.decided_by else "",
        "used up": instant(gate.consumed_at),
    }
    drawn = table("", "", rows=[(name, value) for name, value in rows.items() if value])
    drawn.show_header = False
    said: list[Any] = [drawn]
    if votes:
        cast_ = [
            (instant(vote.at), vote.person, vote.kind, vote.seat, vote.channel, vote.reason or "")
            for vote in votes
        ]
        said += ["", table("at", "who", "vote", "seat", "by", "reason", rows=cast_)]
    return [*said, *about_gates([gate])[-1:]] if gate.status is GateStatus.OPEN else said


def decided(gate: Gate, person: str) -> Sequence[str]:
    """Say what came of what a person did at a gate."""
    if gate.kind is not GateKind.APPROVAL:
        return [
            f"gate {gate.id} is decided by {gate.decided_by}: {gate.answer}",
            f"next: penstock show {gate.run_id}",
        ]
    if gate.status is GateStatus.OPEN and gate.edit is not None and gate.edit.by == person:
        return [
            f"gate {gate.id} asks about the edited call; somebody else approves it",
            f"next: {decide_command(gate)}",
        ]
    if gate.status is GateStatus.OPEN:
        return [f"gate {gate.id} has the vote of {person}, and {wanted(gate)}"]
    return [
        f"gate {gate.id} is decided by {gate.decided_by}: {gate.decision}",
        f"next: penstock show {gate.run_id}",
    ]


def about_gates(gates: Sequence[Gate], *, key_chars: int = 12) -> Sequence[str]:
    """Return the open ones of `gates` and how each is decided, a line each."""
    lines: list[str] = []
    for gate in gates:
        if gate.status is GateStatus.OPEN:
            lines.append(f"gate {gate.id} asks: {_asks(gate)}")
            if gate.kind is not GateKind.APPROVAL and gate.effect_key is not None:
                lines.append(f"look: penstock effects {gate.effect_key[:key_chars]}")
            lines.append(f"next: {decide_command(gate)}")
    return lines


def decide_command(gate: Gate) -> str:
    """Return a command that decides a gate, with an answer that fits it as far as can be told."""
    if gate.kind is GateKind.APPROVAL:
        return f"penstock decide {gate.id} approve"
    if gate.cap is not None:
        asked_for = from_json(gate.question)
        lacking = max(asked_for["wanted"] - asked_for["left"], 1)
        amount = write_amount(gate.cap, lacking)
        return f"penstock decide {gate.id} raise {amount}"
    schema = None if gate.answer_schema is None else from_json(gate.answer_schema)
    answer = json.dumps(sample(schema), ensure_ascii=False)
    return f"penstock decide {gate.id} {shlex.quote(answer)}"


def _asks(gate: Gate) -> str:
    if gate.kind is GateKind.BUDGET:
        return asked(gate)
    return f"{asked(gate)} ({wanted(gate)})" if gate.kind is GateKind.APPROVAL else gate.question


def _why(gate: Gate) -> str:
    return short(from_json(gate.question)["why"])
