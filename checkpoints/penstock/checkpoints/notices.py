"""What people are to be told about gates: written with the gate, sent later, and never in its way.

A notice is sent by whichever worker takes it. It is an effect of the runtime's own: taken for a
time, tried again with growing waits, and given up in the end. It may be sent twice.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from penstock.checkpoints.database import database_now, insert_or_keep
from penstock.checkpoints.schema import gates, notices
from penstock.contracts.gate import Gate, GateStatus, Notice, NoticeKind
from penstock.contracts.ids import GateId

WARNING_SHARE = 0.2
"""A gate nears its expiry when so much of its time is left, or `WARNING_S`, which is shorter."""
WARNING_S = 3600.0
TAKEN_S = 60.0
"""So long a notice belongs to the worker that took it."""
FIRST_WAIT_S = 30.0
"""After a failure; each further wait is twice as long."""
ATTEMPT_LIMIT = 8
"""A notice that could not be sent so often is given up."""


def announce(connection: Connection, gate: Gate, *, expires_s: float) -> None:
    """Have the groups of a gate be told that it is open, and before it expires."""
    warning_s = expires_s - min(expires_s * WARNING_SHARE, WARNING_S)
    for group in gate.approvals or {}:
        _add(connection, gate, NoticeKind.OPENED, group, due_s=0.0)
        _add(connection, gate, NoticeKind.EXPIRING, group, due_s=warning_s)


def tell_of_escalation(connection: Connection, gate: Gate) -> None:
    """Have the group that a gate was escalated to be told of it."""
    if gate.escalates_to is not None:
        _add(connection, gate, NoticeKind.ESCALATED, gate.escalates_to, due_s=0.0)


def take(connection: Connection, *, limit: int) -> Sequence[Notice]:
    """Take notices that are due, for `TAKEN_S`; those of gates that are closed are dropped."""
    now = database_now(connection.dialect)
    is_open = select(gates.c.id).where(
        gates.c.id == notices.c.gate_id, gates.c.status == GateStatus.OPEN
    )
    connection.execute(
        update(notices)
        .where(notices.c.closed_at.is_(None), notices.c.due_at <= now, ~is_open.exists())
        .values(closed_at=now, outcome="the gate was closed")
    )
    due = (
        select(notices.c.id)
        .where(notices.c.closed_at.is_(None), notices.c.due_at <= now)
        .order_by(notices.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(due).scalars().all()
    if not found:
        return []
    rows = connection.execute(
        update(notices)
        .where(notices.c.id.in_(found))
        .values(
            due_at=database_now(connection.dialect, plus_s=TAKEN_S),
            attempt_count=notices.c.attempt_count + 1,
        )
        .returning(*notices.c)
    )
    return [
        Notice(
            id=row.id,
            tenant=row.tenant,
            gate_id=GateId(row.gate_id),
            kind=NoticeKind(row.kind),
            group=row.group_name,
            due_at=row.due_at,
            attempt_count=row.attempt_count,
        )
        for row in rows
    ]


def sent(connection: Connection, notice: Notice, *, outcome: str) -> None:
    """Record that nothing more is to be done about a notice, and what came of it."""
    connection.execute(
        update(notices)
        .where(notices.c.id == notice.id)
        .values(closed_at=database_now(connection.dialect), outcome=outcome)
    )


def failed(connection: Connection, notice: Notice, *, why: str) -> None:
    """Have a notice that could not be sent be tried again later, or give it up."""
    if notice.attempt_count >= ATTEMPT_LIMIT:
        sent(connection, notice, outcome=f"given up: {why}")
        return
    wait_s = FIRST_WAIT_S * 2 ** (notice.attempt_count - 1)
    connection.execute(
        update(notices)
        .where(notices.c.id == notice.id)
        .values(due_at=database_now(connection.dialect, plus_s=wait_s))
    )


def _add(connection: Connection, gate: Gate, kind: NoticeKind, group: str, *, due_s: float) -> None:
    connection.execute(
        insert_or_keep(connection.dialect, notices).values(
            tenant=gate.tenant,
            gate_id=gate.id,
            kind=kind,
            group_name=group,
            due_at=database_now(connection.dialect, plus_s=due_s),
            attempt_count=0,
        )
    )
