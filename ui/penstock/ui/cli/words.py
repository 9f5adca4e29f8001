"""Runs, gates and events as JSON and as words for people."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json
from rich.text import Text

from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import Effect, Report
from penstock.contracts.gate import Gate
from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.contracts.step import Step
from penstock.contracts.worker import KnownWorker

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


def about_failure(run: Run) -> Sequence[str]:
    """Return what to type after a failure that a redrive may help."""
    if run.failure is None or not run.failure.redrivable:
        return []
    return [f"next: penstock redrive {run.id}"]
