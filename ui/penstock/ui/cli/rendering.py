"""Runs and gates as text for people: states in colour, questions, and the commands to type next."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from penstock.contracts.amounts import write_amount
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.ui.text import short

if TYPE_CHECKING:
    from rich.text import Text

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


def status_text(status: str) -> "Text":
    """Return a state in its colour."""
    from rich.text import Text

    return Text(status, style=_STYLES.get(status, ""))


def run_status_text(run: Run) -> "Text":
    """Return the state of a run in its colour, and whether it is paused or to be cancelled."""
    text = status_text(run.status)
    if run.status is RunStatus.RUNNING and run.cancel_by is not None:
        text.append(", to be cancelled")
    elif run.status in LIVE and run.pause_by is not None:
        text.append(", paused")
    return text


def failure_hints(run: Run) -> Sequence[str]:
    """Return what to type after a failure that a redrive may help."""
    if run.failure is None or not run.failure.redrivable:
        return []
    return [f"next: penstock redrive {run.id}"]


def sample_value(schema: object) -> Any:
    """Return a value like those that `schema` describes; it may have to be changed to fit."""
    return _sample(schema, schema, depth=0)


def question_text(gate: Gate) -> str:
    """Return the beginning of what a gate asks; of an object, what stands under `question`."""
    found: Any = json.loads(gate.question)
    if gate.kind is GateKind.APPROVAL:
        arguments = json.dumps(found["arguments"], ensure_ascii=False)
        return short(f"{found['may_it_happen']} {arguments}")
    if gate.kind is GateKind.BUDGET:
        return found["question"]
    if isinstance(found, dict):
        found = cast("dict[str, Any]", found).get("question")
    return short(found if isinstance(found, str) else gate.question)


def approvals_wanted(gate: Gate) -> str:
    """Say whose approval a gate wants."""
    approvals = gate.approvals or {}
    return "wants " + " and ".join(f"{count} of {group}" for group, count in approvals.items())


def gate_request(gate: Gate) -> str:
    """Return what a gate asks, and of whom."""
    if gate.kind is GateKind.BUDGET:
        return question_text(gate)
    return (
        f"{question_text(gate)} ({approvals_wanted(gate)})"
        if gate.kind is GateKind.APPROVAL
        else gate.question
    )


def open_gate_hints(gates: Sequence[Gate]) -> Sequence[str]:
    """Return the open ones of `gates` and how each is decided, a line each."""
    lines: list[str] = []
    for gate in gates:
        if gate.status is GateStatus.OPEN:
            lines.append(f"gate {gate.id} asks: {gate_request(gate)}")
            if gate.kind is not GateKind.APPROVAL and gate.effect_key is not None:
                lines.append(f"look: penstock effects {gate.effect_key[:KEY_CHARS]}")
            lines.append(f"next: {decide_command(gate)}")
    return lines


def decide_command(gate: Gate) -> str:
    """Return a command that decides a gate, with an answer that fits it as far as can be told."""
    if gate.kind is GateKind.APPROVAL:
        return f"penstock decide {gate.id} approve"
    if gate.cap is not None:
        question = json.loads(gate.question)
        lacking = max(question["wanted"] - question["left"], 1)
        amount = write_amount(gate.cap, lacking)
        return f"penstock decide {gate.id} raise {amount}"
    schema = None if gate.answer_schema is None else json.loads(gate.answer_schema)
    answer = json.dumps(sample_value(schema), ensure_ascii=False)
    return f"penstock decide {gate.id} {shlex.quote(answer)}"


def _sample(schema: object, root: object, *, depth: int) -> Any:
    fields, whole = _mapping(schema), _mapping(root)
    if not fields or depth > _DEPTH_LIMIT:
        return UNKNOWN
    for key in ("default", "const"):
        if key in fields:
            return fields[key]
    choices: list[Any] = fields.get("enum") or []
    if choices:
        return choices[0]
    inner = _inner(fields, whole)
    if inner is not None:
        return _sample(inner, root, depth=depth + 1)
    if fields.get("type") != "object":
        return _PLAIN.get(str(fields.get("type")), UNKNOWN)
    parts = _mapping(fields.get("properties"))
    wanted: list[str] = fields.get("required") or list(parts)
    return {name: _sample(parts.get(name), root, depth=depth + 1) for name in wanted}


def _inner(fields: Mapping[str, Any], whole: Mapping[str, Any]) -> object | None:
    """Return the schema that another one only points to."""
    if "$ref" in fields:
        return _mapping(whole.get("$defs")).get(str(fields["$ref"]).rpartition("/")[2], {})
    choices: list[Any] = fields.get("anyOf") or fields.get("oneOf") or []
    return choices[0] if choices else None


def _mapping(found: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], found) if isinstance(found, Mapping) else {}
