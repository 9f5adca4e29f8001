"""An edit of a call that waits at a gate: other arguments, checked and decided again."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection

from penstock.checkpoints import ledger
from penstock.contracts.call import Refused
from penstock.contracts.errors import EditRefused
from penstock.contracts.gate import Edit, Gate
from penstock.contracts.policy import RecordedDecision, Verdict
from penstock.contracts.redaction import HIDDEN
from penstock.contracts.run import Run
from penstock.nodes.calls.authorization import Authorizer, binding_of
from penstock.nodes.gates.approvals import ApprovalRequest, open_gate
from penstock.nodes.tools.arguments import CheckedArguments, canonical_json
from penstock.nodes.tools.tool import Tool


def check_edit(
    connection: Connection,
    gate: Gate,
    arguments: Mapping[str, object],
    *,
    run: Run,
    tool: Tool[Any],
    authorizer: Authorizer,
) -> tuple[str, CheckedArguments, RecordedDecision]:
    """Check an edit without making it.

    Returns:
        The arguments that the gate shows, in their canonical form, the new arguments, and what the
        policy decides about them.

    Raises:
        EditRefused: The arguments do not fit the contract, are denied, or are unchanged.
    """
    before = _shown_arguments(gate, tool)
    checked = tool.check(arguments)
    if isinstance(checked, Refused):
        raise EditRefused(f"gate `{gate.id}` was not edited: {checked.message}")
    if checked.canonical == before:
        raise EditRefused(f"gate `{gate.id}` was not edited: the arguments are what they were")
    decided = _decided(connection, gate, checked, run=run, tool=tool, authorizer=authorizer)
    return before, checked, decided


def edit(
    connection: Connection,
    gate: Gate,
    arguments: Mapping[str, object],
    *,
    run: Run,
    tool: Tool[Any],
    authorizer: Authorizer,
    by: str,
    at: datetime,
) -> Gate:
    """Replace the arguments that a gate asks about; return the gate that asks about the new ones.

    It asks everybody whom the gate before asked, and whom the policy asks about the new arguments.

    Raises:
        EditRefused: As `check_edit`.
    """
    before, checked, decided = check_edit(
        connection, gate, arguments, run=run, tool=tool, authorizer=authorizer
    )
    original = tool.digest(CheckedArguments(values={}, canonical=before))
    request = ApprovalRequest(
        run=run,
        contract=tool.contract,
        checked=checked,
        binding=binding_of(run, tool.digest(checked), decided),
        decided=decided,
        rules=decided.decision.rules,
        edit=Edit(
            of_digest=original if gate.edit is None else gate.edit.of_digest,
            arguments=checked.canonical,
            by=by,
        ),
    )
    return open_gate(connection, request, gate, at=at, actor=by)


def _shown_arguments(gate: Gate, tool: Tool[Any]) -> str:
    """Return the arguments that a gate shows, in their canonical form.

    Raises:
        EditRefused: Some are hidden, so that nobody could tell what call they would edit.
    """
    shown = canonical_json(cast("dict[str, Any]", json.loads(gate.question))["arguments"])
    if tool.contract.sensitive and HIDDEN in shown:
        raise EditRefused(
            f"gate `{gate.id}` was not edited: nobody is shown all arguments of `{tool.name}`;"
            " reject it with a reason, or respond"
        )
    return shown


def _decided(
    connection: Connection,
    gate: Gate,
    checked: CheckedArguments,
    *,
    run: Run,
    tool: Tool[Any],
    authorizer: Authorizer,
) -> RecordedDecision:
    if gate.effect_key is None:
        raise EditRefused(f"gate `{gate.id}` asks about no call")
    lineage = ledger.lineage_of(connection, run.thread_id)
    decided = authorizer.decide(connection, tool, checked, key=gate.effect_key, lineage=lineage)
    if isinstance(decided, Refused):
        raise EditRefused(f"gate `{gate.id}` was not edited: {decided.message}")
    if decided.decision.verdict is Verdict.DENY:
        raise EditRefused(
            f"gate `{gate.id}` was not edited: the call would then be denied."
            f" {decided.decision.message}"
        )
    return decided
