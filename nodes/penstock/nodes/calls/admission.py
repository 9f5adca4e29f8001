"""Admission: a call is given its key, and its arguments are checked against the contract."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from penstock.contracts.call import MessageCall, NodeCall, Origin, Refused, Stage
from penstock.contracts.effect import NewEffect
from penstock.contracts.gate import Edit, Gate
from penstock.contracts.ids import IdempotencyKey, ThreadId
from penstock.contracts.redaction import hide_fields
from penstock.contracts.tool import IsolationTier, ToolContract
from penstock.nodes.calls.call import ToolCall
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.isolation import available_tiers
from penstock.nodes.secrets import resolve
from penstock.nodes.tools.arguments import canonical_json
from penstock.nodes.tools.tool import Tool


def key_of(
    tenant: str, lineage: ThreadId, origin: Origin, contract: ToolContract
) -> IdempotencyKey:
    """Return the key of a call, in 64 hex digits: the same whenever the same call is made again.

    It is made of where the call comes from, not of its arguments. A call that comes from the same
    place with other arguments is a conflict, and never a second effect.
    """
    match origin:
        case MessageCall(message_id=message_id, position=position):
            place = ["message", message_id, position]
        case NodeCall(task_id=task_id, index=index, provider_id=provider_id):
            place = ["node", task_id, index, provider_id]
        case _:
            assert_never(origin)
    return _key_digest([tenant, lineage, *place, contract.name, contract.major])


def compensation_key(key: IdempotencyKey) -> IdempotencyKey:
    """Return the key of the call that undoes another."""
    return _key_digest(["undo", key])


def admit(
    context: SegmentContext,
    tool: Tool[Any],
    arguments: Mapping[str, object],
    *,
    key: IdempotencyKey,
    lineage: ThreadId,
    injected: Mapping[str, object],
    provider_id: str | None = None,
    undoes: bool = False,
) -> ToolCall | Refused:
    """Check a call, or refuse it with all that is wrong."""
    contract, run = tool.contract, context.run
    checked = tool.check(arguments)
    if isinstance(checked, Refused):
        return checked
    isolation = contract.isolation
    missing = None if isolation is IsolationTier.IN_PROCESS else available_tiers()[isolation]
    if missing is not None:
        return Refused(
            stage=Stage.CONTRACT,
            code="isolation_missing",
            message=f"`{tool.name}` wants a process of its own, and here {missing}",
        )
    # A missing secret is found before anything begins; the values are fetched where they are used.
    secrets = resolve(contract.secrets, context.secrets)
    if isinstance(secrets, Refused):
        return secrets
    effect = NewEffect(
        key=key,
        tenant=run.tenant,
        run_id=run.id,
        thread_id=run.thread_id,
        lineage=lineage,
        tool=contract.name,
        tool_version=contract.version,
        effect=contract.effect,
        arguments=hide_fields(checked.canonical, contract.sensitive),
        digest=tool.digest(checked),
        business_key=tool.business_key(checked),
        timeout_s=contract.timeout_s,
        margin_s=contract.margin_s,
        key_lifetime_s=contract.key_lifetime_s,
        can_be_looked_up=tool.probe is not None,
        answer_schema=tool.doubt_schema,
        taints=contract.taints,
        spend=tool.spend(checked),
    )
    return ToolCall(
        tool=tool,
        checked=checked,
        effect=effect,
        injected=injected,
        provider_id=provider_id,
        undoes=undoes,
    )


def edit_of(call: ToolCall, gates: Sequence[Gate]) -> Edit | None:
    """Return the last edit that a person made of a call with these arguments, at its gates."""
    edits = (gate.edit for gate in reversed(gates) if gate.edit is not None)
    return next((edit for edit in edits if edit.of_digest == call.effect.digest), None)


def with_edit(context: SegmentContext, call: ToolCall, edit: Edit) -> ToolCall | Refused:
    """Return the call that a person approved: with the arguments of an edit, checked again."""
    edited = admit(
        context,
        call.tool,
        json.loads(edit.arguments),
        key=call.effect.key,
        lineage=call.effect.lineage,
        injected=call.injected,
    )
    if isinstance(edited, Refused):
        return edited
    return replace(call, checked=edited.checked, effect=edited.effect)


def _key_digest(parts: list[object]) -> IdempotencyKey:
    return IdempotencyKey(hashlib.sha256(canonical_json(parts).encode()).hexdigest())
