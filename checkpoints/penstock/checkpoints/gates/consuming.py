"""Using an approval up: once, for exactly the call it was given for, in the claim of that call."""

from datetime import datetime

from sqlalchemy import Connection, update

from penstock.checkpoints.gates.reading import locked, votes_of
from penstock.checkpoints.gates.rows import tell
from penstock.checkpoints.gates.voting import Has, has_quorum
from penstock.checkpoints.schema import gates
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import GateId


def consume(
    connection: Connection, gate_id: GateId, binding: str, *, has: Has, at: datetime, actor: str
) -> str | None:
    """Use an approval up for the call that begins in this transaction; return why it cannot be.

    Who approved must be in their groups still. The gate of a call that had begun before was used
    up then, for this same call: its attempts need no approval of their own.
    """
    gate, now = locked(connection, gate_id)
    if gate.binding != binding:
        return "what was approved is not what is called"
    if gate.consumed_at is not None:
        return None
    if gate.status is not GateStatus.DECIDED or not gate.is_approved:
        return f"its gate is {gate.status}, and not approved"
    if gate.expires_at is not None and now >= gate.expires_at:
        return f"its approval expired at {gate.expires_at.isoformat(timespec='seconds')}"
    if not has_quorum(gate, votes_of(connection, gate.id), has=has):
        return "somebody who approved is not in their group any more, and the rest are too few"
    connection.execute(
        update(gates)
        .where(
            gates.c.id == gate_id,
            gates.c.status == GateStatus.DECIDED,
            gates.c.consumed_at.is_(None),
        )
        .values(consumed_at=at)
    )
    tell(connection, gate, "consumed", at=at, actor=actor)
    return None
