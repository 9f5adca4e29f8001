"""Gates as rows, and what the audit is told of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from penstock.checkpoints import audit
from penstock.checkpoints.schema import gate_approvals
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import Unit
from penstock.contracts.gate import Edit, Gate, GateKind, GateStatus
from penstock.contracts.policy import OnExpiry


def gates_of(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Gate]:
    """Return the gates that rows are, with who must approve at each."""
    asking = [row["id"] for row in rows if row["kind"] == GateKind.APPROVAL]
    approvals: dict[str, dict[str, int]] = {gate_id: {} for gate_id in asking}
    if asking:
        wanted = select(gate_approvals).where(gate_approvals.c.gate_id.in_(asking))
        for row in connection.execute(wanted.order_by(gate_approvals.c.group_name)):
            approvals[row.gate_id][row.group_name] = row.approval_count
    return [_gate(row, approvals.get(row["id"])) for row in rows]


def tell(
    connection: Connection,
    gate: Gate,
    action: str,
    *,
    at: datetime,
    actor: str,
    reason: str | None = None,
    **detail: str | int | bool | None,
) -> None:
    """Write down what happened to a gate; what it asks, and its answer, by a code of each."""
    texts = {"question": gate.question} if action == "opened" else {}
    if gate.binding is not None:
        texts["binding"] = gate.binding
    if gate.answer is not None:
        texts["answer"] = gate.answer
    audit.append(
        connection,
        AuditEvent(
            tenant=gate.tenant,
            at=at,
            actor=actor,
            action=f"gate.{action}",
            run_id=gate.run_id,
            detail={
                "gate": gate.id,
                "kind": gate.kind,
                "effect": gate.effect_key,
                "policy": gate.policy_digest,
                **detail,
            },
            reason=reason,
            texts=texts,
        ),
    )


def _gate(row: Mapping[str, Any], approvals: Mapping[str, int] | None) -> Gate:
    values: dict[str, Any] = dict(row)
    of_digest, arguments, by = (
        values.pop(f"edit_{name}") for name in ("of_digest", "arguments", "by")
    )
    values["kind"], values["status"] = GateKind(row["kind"]), GateStatus(row["status"])
    values["may_confirm_self"] = bool(row["may_confirm_self"])
    values["on_expiry"] = None if row["on_expiry"] is None else OnExpiry(row["on_expiry"])
    values["cap"] = None if row["cap"] is None else Unit(row["cap"])
    values["edit"] = (
        None if of_digest is None else Edit(of_digest=of_digest, arguments=arguments, by=by)
    )
    return Gate(**values, approvals=approvals)
