"""Runs, gates and events as JSON and as words for people."""

import json
import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from pydantic_core import from_json
from rich.text import Text

from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import Effect, Report
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.run import Run
from penstock.contracts.step import Step
from penstock.ui.cli.sample import sample

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
}
_SHORT = 80
KEY_CHARS = 12
"""So much of an effect's key is shown, and is enough to name it."""


def of_run(run: Run) -> dict[str, Any]:
    """Return a run as JSON has it."""
    return {
        "id": run.id,
        "tenant": run.tenant,
        "graph": run.graph,
        "graph_version": run.graph_version,
        "fingerprint": run.fingerprint,
        "thread_id": run.thread_id,
        "key": run.key,
        "input": from_json(run.input),
        "mode": str(run.mode),
        "status": str(run.status),
        "epoch": run.epoch,
        "worker_id": run.worker_id,
        "lost_count": run.lost_count,
        "cancel_by": run.cancel_by,
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


def instant(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")


def age(seconds: float) -> str:
    """Return a length of time in its two largest units, a short one in milliseconds."""
    if 0 <= seconds < 1:
        return f"{seconds * 1e3:.0f}ms"
    whole = max(int(seconds), 0)
    for size, large, unit, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if whole >= size:
            return f"{whole // size}{large} {whole % size // unit}{small}"
    return f"{whole // 60}m {whole % 60}s" if whole >= 60 else f"{whole}s"


def short(text: str) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"


def asked(gate: Gate) -> str:
    """Return the beginning of what a gate asks; of an object, what stands under `question`."""
    found: Any = from_json(gate.question)
    if isinstance(found, dict):
        found = cast("dict[str, Any]", found).get("question")
    return short(found if isinstance(found, str) else gate.question)


def about_gates(gates: Sequence[Gate]) -> Sequence[str]:
    """Return the open ones of `gates` and how each is decided, a line each."""
    lines: list[str] = []
    for gate in gates:
        if gate.status is GateStatus.OPEN:
            lines.append(f"gate {gate.id} asks: {gate.question}")
            if gate.effect_key is not None:
                lines.append(f"look: penstock effects {gate.effect_key[:KEY_CHARS]}")
            lines.append(f"next: {decide_command(gate)}")
    return lines


def decide_command(gate: Gate) -> str:
    """Return a command that decides a gate, with an answer that fits it as far as can be told."""
    schema = None if gate.answer_schema is None else from_json(gate.answer_schema)
    answer = json.dumps(sample(schema), ensure_ascii=False)
    return f"penstock decide {gate.id} {shlex.quote(answer)}"


def about_failure(run: Run) -> Sequence[str]:
    """Return what to type after a failure that a redrive may help."""
    if run.failure is None or not run.failure.redrivable:
        return []
    return [f"next: penstock redrive {run.id}"]
