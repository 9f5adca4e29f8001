"""A call that comes in, checked against its contract."""

from collections.abc import Mapping
from typing import Any

from penstock.contracts.call import Refused, Stage
from penstock.contracts.effect import NewEffect
from penstock.contracts.ids import IdempotencyKey, ThreadId
from penstock.contracts.redaction.fields import hide_fields
from penstock.contracts.tool import IsolationTier
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import ToolCall
from penstock.nodes.isolation import available
from penstock.nodes.secrets import resolve
from penstock.nodes.tools.tool import Tool


def admit(
    acting: Acting,
    tool: Tool[Any],
    arguments: Mapping[str, object],
    *,
    key: IdempotencyKey,
    lineage: ThreadId,
    injected: Mapping[str, object],
) -> ToolCall | Refused:
    """Check a call, or refuse it with all that is wrong."""
    checked = tool.check(arguments)
    if isinstance(checked, Refused):
        return checked
    isolation = tool.contract.isolation
    missing = None if isolation is IsolationTier.IN_PROCESS else available()[isolation]
    if missing is not None:
        return Refused(
            stage=Stage.CONTRACT,
            code="isolation_missing",
            message=f"`{tool.name}` wants a process of its own, and here {missing}",
        )
    # Missing ones are found before anything is begun; the values are fetched where they are used.
    secrets = resolve(tool.contract.secrets, acting.secrets)
    if isinstance(secrets, Refused):
        return secrets
    contract, run = tool.contract, acting.run
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
    return ToolCall(tool=tool, checked=checked, effect=effect, injected=injected)
