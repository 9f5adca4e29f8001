"""The approval of a call: the gate at which people are asked, its terms, and what they see."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from penstock.checkpoints import decisions, gates
from penstock.contracts.gate import Edit, Gate, NewApproval, Terms
from penstock.contracts.policy import GateRule, OnExpiry, RecordedDecision
from penstock.contracts.redaction import hide_fields
from penstock.contracts.run import Run
from penstock.contracts.tool import ToolContract
from penstock.nodes.calls.authorization import gate_id_of
from penstock.nodes.tools.arguments import CheckedArguments


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A call that needs an approval."""

    run: Run
    contract: ToolContract
    checked: CheckedArguments
    binding: str
    decided: RecordedDecision
    rules: Sequence[GateRule]
    """All rules that ask people about it."""
    edit: Edit | None
    """The edit by which a person has changed its arguments, where one has."""


def open_gate(
    connection: Connection,
    request: ApprovalRequest,
    before: Gate | None,
    *,
    at: datetime,
    actor: str,
) -> Gate:
    """Open the gate that asks about a call, in place of all others about it.

    It asks again for whatever the gate before asked for.
    """
    if before is not None:
        gates.supersede(connection, [before.id], at=at, actor=actor)
    key = request.decided.effect_key
    rules = [*request.rules, *([] if before is None else rules_of(before))]
    new = NewApproval(
        id=gate_id_of(key, request.binding, gates.count_of(connection, key, request.binding)),
        tenant=request.run.tenant,
        run_id=request.run.id,
        effect_key=key,
        binding=request.binding,
        policy_digest=request.decided.policy_digest,
        question=json.dumps(_question(request), sort_keys=True, ensure_ascii=False),
        terms=terms_of(rules, request.run.principal),
        edit=request.edit,
    )
    decisions.record(connection, request.decided, actor=actor)
    return gates.open_approval(connection, new, at=at, actor=actor)


def terms_of(rules: Sequence[GateRule], requester: str) -> Terms:
    """Return the terms that satisfy all of these rules: of each term, the strictest."""
    approvals: dict[str, int] = {}
    for rule in rules:
        approvals[rule.group] = max(rule.approval_count, approvals.get(rule.group, 0))
    fails = any(rule.on_expiry is OnExpiry.FAIL for rule in rules)
    # The group it is escalated to counts for every group: all rules have to name the same.
    targets = {rule.escalates_to for rule in rules}
    is_escalated = len(targets) == 1 and None not in targets
    return Terms(
        approvals=approvals,
        requester=requester,
        may_confirm_self=all(rule.may_confirm_self for rule in rules),
        expires_s=min(rule.expires_s for rule in rules),
        on_expiry=OnExpiry.FAIL if fails else OnExpiry.DENY,
        escalates_s=max(rule.escalates_s or 0.0 for rule in rules) if is_escalated else None,
        escalates_to=targets.pop() if is_escalated else None,
    )


def covers(gate: Gate, terms: Terms) -> bool:
    """Tell whether a gate asks for all approvals that the terms want, and is as strict."""
    approvals = gate.approvals or {}
    asks_enough = all(approvals.get(group, 0) >= n for group, n in terms.approvals.items())
    asks_nobody_else = gate.escalates_to in {None, terms.escalates_to}
    asks_others = terms.may_confirm_self or not gate.may_confirm_self
    return asks_enough and asks_nobody_else and asks_others


def rules_of(gate: Gate) -> list[GateRule]:
    """Return the rules that would ask for what a gate asks for."""
    escalates = gate.escalates_at is not None and gate.escalates_to is not None
    return [
        GateRule(
            id="before",
            group=group,
            approval_count=count,
            on_expiry=gate.on_expiry or OnExpiry.DENY,
            may_confirm_self=gate.may_confirm_self,
            escalates_s=(gate.escalates_at - gate.opened_at).total_seconds()
            if gate.escalates_at is not None and escalates
            else None,
            escalates_to=gate.escalates_to if escalates else None,
        )
        for group, count in (gate.approvals or {}).items()
    ]


def _question(request: ApprovalRequest) -> dict[str, Any]:
    """Return the question that people see: the call as it would be made, and why they are asked."""
    contract, decided = request.contract, request.decided
    return {
        "may_it_happen": contract.name,
        "does": contract.description.strip().partition("\n")[0],
        "tool_version": contract.version,
        "effect": contract.effect,
        "arguments": json.loads(hide_fields(request.checked.canonical, contract.sensitive)),
        "acts_for": decided.request.principal.user,
        "agent": decided.request.principal.agent,
        "facts": dict(decided.request.facts),
        "rules": [rule.id for rule in request.rules],
        "why": decided.decision.message,
        "edited_by": None if request.edit is None else request.edit.by,
    }
