"""The key of a call: the same whenever the same call is made again, and never another's."""

import hashlib
from typing import assert_never

from penstock.contracts.call import MessageCall, NodeCall, Origin
from penstock.contracts.ids import IdempotencyKey, ThreadId
from penstock.contracts.tool import ToolContract
from penstock.nodes.tools.arguments import canonical_json


def key_of(
    tenant: str, lineage: ThreadId, origin: Origin, contract: ToolContract
) -> IdempotencyKey:
    """Return the key of a call, in 64 hex digits.

    It is made of where the call comes from, not of its arguments: a call that comes from the same
    place with others is a conflict, never a second effect.
    """
    match origin:
        case MessageCall(message_id=message_id, position=position):
            place = ["message", message_id, position]
        case NodeCall(task_id=task_id, index=index, provider_id=provider_id):
            place = ["node", task_id, index, provider_id]
        case _:
            assert_never(origin)
    return _digest([tenant, lineage, *place, contract.name, contract.major])


def undoing_key(key: IdempotencyKey) -> IdempotencyKey:
    """Return the key of the call that undoes another."""
    return _digest(["undo", key])


def _digest(parts: list[object]) -> IdempotencyKey:
    return IdempotencyKey(hashlib.sha256(canonical_json(parts).encode()).hexdigest())
