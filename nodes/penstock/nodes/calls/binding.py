"""What an approval is bound to: exactly the call that people were shown, and nothing else."""

import hashlib

from penstock.contracts.ids import GateId, IdempotencyKey
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.run import Run
from penstock.nodes.tools.arguments import canonical_json


def binding_of(run: Run, digest: str, decided: RecordedDecision) -> str:
    """Return what stands for a call as it is decided about, in 64 hex digits.

    Another run, another place in it, other arguments, another version of the tool, of the policy or
    of the graph, and another principal each make another one.

    Args:
        run: That makes the call.
        digest: Of the tool and the arguments.
        decided: What was decided about it.
    """
    request = decided.request
    return _digest(
        [
            run.tenant,
            run.id,
            decided.effect_key,
            request.tool,
            request.tool_version,
            digest,
            decided.policy_digest,
            run.fingerprint,
            request.principal.user,
            request.principal.agent,
        ]
    )


def gate_id_of(key: IdempotencyKey, binding: str, count: int) -> GateId:
    """Return the id of the gate that asks for what a binding stands for, the next after `count`."""
    return GateId(_digest([key, binding, count])[:32])


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()
