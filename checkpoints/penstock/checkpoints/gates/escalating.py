"""Escalating gates that nobody has decided: another group may then decide them as well."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from penstock.checkpoints import notices
from penstock.checkpoints.database import database_now
from penstock.checkpoints.gates.rows import gates_of, tell
from penstock.checkpoints.schema import gates
from penstock.contracts.gate import Gate, GateStatus


def escalate(connection: Connection, *, limit: int, at: datetime, actor: str) -> Sequence[Gate]:
    """Escalate open gates whose time for it has come, the longest due first."""
    due = (
        select(gates.c.id)
        .where(
            gates.c.status == GateStatus.OPEN,
            gates.c.escalates_at <= database_now(connection.dialect),
            gates.c.escalated_at.is_(None),
        )
        .order_by(gates.c.escalates_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(due).scalars().all()
    if not found:
        return []
    rows = connection.execute(
        update(gates).where(gates.c.id.in_(found)).values(escalated_at=at).returning(*gates.c)
    ).mappings()
    escalated = gates_of(connection, [dict(row) for row in rows])
    for gate in escalated:
        tell(connection, gate, "escalated", at=at, actor=actor, to=gate.escalates_to)
        notices.tell_of_escalation(connection, gate)
    return escalated
