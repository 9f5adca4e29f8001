"""Runs, gates and calls as JSON, and as text for people: states, questions, next commands."""

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic_core import from_json
from rich.text import Text

from penstock.contracts.amounts import write_amount
from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import Effect, Report
from penstock.contracts.gate import Gate, GateKind, GateStatus, Vote
from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.contracts.step import Step
from penstock.contracts.worker import KnownWorker
from penstock.ui.cli.output import table
from penstock.ui.text import age, instant, short

_STYLES = {
    "started": "blue",
    "parked": "yellow",
    "in_doubt": "bold yellow",
    "compensated": "magenta",
    "queued": "cyan",
    "running": "blue",
    "waiting": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "magenta",
    "alive": "green",
    "draining": "magenta",
    "late": "yellow",
    "gone": "red",
}

KEY_CHARS = 12
"""So much of an effect's key is shown, and is enough to name it."""

UNKNOWN = "…"
"""Stands where the schema leaves open what is wanted."""

_DEPTH_LIMIT = 6
_PLAIN: Mapping[str, Any] = {"boolean": True, "integer": 0, "number": 0, "array": [], "null": None}


def of_run(run: Run) -> dict[str, Any]:
    """Return a run as JSON has it."""
    return {
        "id": run.id,
        "tenant": run.tenant,
        "graph": run.graph,
        "graph_version": run.graph_version,
        "fingerprint": run.fingerprint,
        "thread_id": run.thread_id,
        "parent_id": run.parent_id,
        "key": run.key,
        "tags": list(run.tags),
        "input": from_json(run.input),
        "mode": str(run.mode),
        "status": str(run.status),
        "epoch": run.epoch,
        "worker_id": run.worker_id,
        "lost_count": run.lost_count,
        "cancel_by": run.cancel_by,
        "cancel_at": run.cancel_at,
        "cancel_reason": run.cancel_reason,
        "pause_by": run.pause_by,
        "pause_at": run.pause_at,
        "pause_reason": run.pause_reason,
        "deadline_s": run.deadline_s,
        "deadline_at": run.deadline_at,
        "created_at": run.created_at,
        "changed_at": run.changed_at,
        "ended_at": run.ended_at,
        "failure": None
        if run.failure is None
        else {
            "code": str(run.failure.code),
            "message": run.failure.message,
            "redrivable": run.failure.redrivable,
        },
    }


def of_step(step: Step) -> dict[str, Any]:
    """Return a step as JSON has it."""
    return {
        "node": step.node,
        "kind": str(step.kind),
        "status": str(step.status),
        "epoch": step.epoch,
        "task_id": step.task_id,
        "namespace": step.namespace,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "error": step.error,
    }


def of_effect(effect: Effect) -> dict[str, Any]:
    """Return an effect as JSON has it."""
    return {
        "key": effect.key,
        "tenant": effect.tenant,
        "run_id": effect.run_id,
        "thread_id": effect.thread_id,
        "lineage": effect.lineage,
        "tool": effect.tool,
        "tool_version": effect.tool_version,
        "class": str(effect.effect),
        "arguments": from_json(effect.arguments),
        "business_key": effect.business_key,
        "status": str(effect.status),
        "attempt": effect.attempt,
        "epoch": effect.epoch,
        "first_started_at": effect.first_started_at,
        "started_at": effect.started_at,
        "settles_at": effect.settles_at,
        "ended_at": effect.ended_at,
        "result": None if effect.result is None else from_json(effect.result),
        "error": None
        if effect.error_code is None
        else {
            "code": effect.error_code,
            "message": effect.error_message,
            "retryable": effect.error_retryable,
        },
    }


def of_report(report: Report) -> dict[str, Any]:
    """Return a line of an effect's story as JSON has it."""
    return {
        "at": report.at,
        "kind": str(report.kind),
        "attempt": report.attempt,
        "actor": report.actor,
        "detail": report.detail,
    }


def of_gate(gate: Gate) -> dict[str, Any]:
    """Return a gate as JSON has it."""
    return {
        "id": gate.id,
        "tenant": gate.tenant,
        "run_id": gate.run_id,
        "kind": str(gate.kind),
        "status": str(gate.status),
        "question": from_json(gate.question),
        "answer_schema": None if gate.answer_schema is None else from_json(gate.answer_schema),
        "answer": None if gate.answer is None else from_json(gate.answer),
        "decided_by": gate.decided_by,
        "opened_at": gate.opened_at,
        "expires_at": gate.expires_at,
        "closed_at": gate.closed_at,
        "effect_key": gate.effect_key,
    }


def of_worker(worker: KnownWorker) -> dict[str, Any]:
    """Return a worker as JSON has it."""
    return {
        "id": worker.id,
        "state": str(worker.state),
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "graphs": [
            {"name": name, "fingerprint": fingerprint} for name, fingerprint in worker.graphs
        ],
        "slot_count": worker.slot_count,
        "beat_s": worker.beat_s,
        "lease_s": worker.lease_s,
        "started_at": worker.started_at,
        "seen_at": worker.seen_at,
        "silent_s": worker.silent_s,
        "drain_by": worker.drain_by,
        "drain_at": worker.drain_at,
        "ended_at": worker.ended_at,
    }


def of_event(event: AuditEvent) -> dict[str, Any]:
    """Return an audit event as JSON has it."""
    return {
        "at": event.at,
        "actor": event.actor,
        "action": event.action,
        "detail": dict(event.detail),
    }


def status_text(status: str) -> Text:
    """Return a state in its colour."""
    return Text(status, style=_STYLES.get(status, ""))


def run_status_text(run: Run) -> Text:
    """Return the state of a run in its colour, and whether it is paused or to be cancelled."""
    told = status_text(run.status)
    if run.status is RunStatus.RUNNING and run.cancel_by is not None:
        told.append(", to be cancelled")
    elif run.status in LIVE and run.pause_by is not None:
        told.append(", paused")
    return told


def failure_hints(run: Run) -> Sequence[str]:
    """Return what to type after a failure that a redrive may help."""
    if run.failure is None or not run.failure.redrivable:
        return []
    return [f"next: penstock redrive {run.id}"]


def sample_value(schema: object) -> Any:
    """Return a value like those that `schema` describes; it may have to be changed to fit."""
    return _sample(schema, schema, depth=0)


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


def question_text(gate: Gate) -> str:
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


def gate_summary(gate: Gate, now: datetime) -> Sequence[str]:
    """Return what somebody who may decide a gate has to know first, in a few lines."""
    open_for = age((now - gate.opened_at).total_seconds())
    lines = [
        f"gate {gate.id} of run {gate.run_id}, open for {open_for}",
        f"  {question_text(gate)}",
    ]
    if gate.kind is GateKind.APPROVAL:
        left = "" if gate.expires_at is None else age((gate.expires_at - now).total_seconds())
        lines.append(f"  {approvals_wanted(gate)}; {left} left; {_why(gate)}")
    return [*lines, f"  next: {decide_command(gate)}"]


def approvals_wanted(gate: Gate) -> str:
    """Say whose approval a gate wants."""
    approvals = gate.approvals or {}
    return "wants " + " and ".join(f"{count} of {group}" for group, count in approvals.items())


def gate_details(gate: Gate, votes: Sequence[Vote]) -> Sequence[Any]:
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
        "of": approvals_wanted(gate) if shown else "",
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
    return [*said, *open_gate_hints([gate])[-1:]] if gate.status is GateStatus.OPEN else said


def decision_outcome(gate: Gate, person: str) -> Sequence[str]:
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
        return [f"gate {gate.id} has the vote of {person}, and {approvals_wanted(gate)}"]
    return [
        f"gate {gate.id} is decided by {gate.decided_by}: {gate.decision}",
        f"next: penstock show {gate.run_id}",
    ]


def open_gate_hints(gates: Sequence[Gate], *, key_chars: int = 12) -> Sequence[str]:
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
    answer = json.dumps(sample_value(schema), ensure_ascii=False)
    return f"penstock decide {gate.id} {shlex.quote(answer)}"


def _sample(schema: object, root: object, *, depth: int) -> Any:
    told, whole = _mapping(schema), _mapping(root)
    if not told or depth > _DEPTH_LIMIT:
        return UNKNOWN
    for key in ("default", "const"):
        if key in told:
            return told[key]
    choices: list[Any] = told.get("enum") or []
    if choices:
        return choices[0]
    inner = _inner(told, whole)
    if inner is not None:
        return _sample(inner, root, depth=depth + 1)
    if told.get("type") != "object":
        return _PLAIN.get(str(told.get("type")), UNKNOWN)
    parts = _mapping(told.get("properties"))
    wanted: list[str] = told.get("required") or list(parts)
    return {name: _sample(parts.get(name), root, depth=depth + 1) for name in wanted}


def _inner(told: Mapping[str, Any], whole: Mapping[str, Any]) -> object | None:
    """Return the schema that another one only points to."""
    if "$ref" in told:
        return _mapping(whole.get("$defs")).get(str(told["$ref"]).rpartition("/")[2], {})
    choices: list[Any] = told.get("anyOf") or told.get("oneOf") or []
    return choices[0] if choices else None


def _mapping(found: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], found) if isinstance(found, Mapping) else {}


def _asks(gate: Gate) -> str:
    if gate.kind is GateKind.BUDGET:
        return question_text(gate)
    return (
        f"{question_text(gate)} ({approvals_wanted(gate)})"
        if gate.kind is GateKind.APPROVAL
        else gate.question
    )


def _why(gate: Gate) -> str:
    return short(from_json(gate.question)["why"])
