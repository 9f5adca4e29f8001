"""Timers of open gates: when the waiting run is to check again, and when a gate escalates."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from penstock.checkpoints.gates import notices
from penstock.checkpoints.gates.queries import gates_of, record_event
from penstock.checkpoints.schema import gates, runs
from penstock.checkpoints.statements import database_now
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import GateId, RunId
from penstock.contracts.run import RunStatus


def wake_later(connection: Connection, gate_id: GateId, *, after_s: float) -> None:
    """Wake the run of an open gate in `after_s` seconds, to check again."""
    connection.execute(
        update(gates)
        .where(gates.c.id == gate_id, gates.c.status == GateStatus.OPEN)
        .values(wakes_at=database_now(connection.dialect, plus_s=after_s))
    )


def wake_now(connection: Connection, gate: Gate, *, at: datetime, by: str) -> None:
    """Wake the run of an open gate with the next sweep, because somebody asked for it."""
    wake_later(connection, gate.id, after_s=0.0)
    record_event(connection, gate, "look_asked", at=at, actor=by)


def postpone(connection: Connection, gate_id: GateId, *, by_s: float) -> None:
    """Postpone the timer of an open gate, if it has one."""
    connection.execute(
        update(gates)
        .where(
            gates.c.id == gate_id, gates.c.status == GateStatus.OPEN, gates.c.wakes_at.is_not(None)
        )
        .values(wakes_at=database_now(connection.dialect, plus_s=by_s))
    )


def due(connection: Connection, *, limit: int) -> Sequence[RunId]:
    """Return waiting runs whose gate's timer is due, the longest due first.

    Each is returned once: its timer is cleared.
    """
    waiting = (
        select(gates.c.id)
        .join(runs, runs.c.id == gates.c.run_id)
        .where(
            gates.c.wakes_at <= database_now(connection.dialect),
            gates.c.status == GateStatus.OPEN,
            runs.c.status == RunStatus.WAITING,
        )
        .order_by(gates.c.wakes_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=gates)
    )
    found = connection.execute(waiting).scalars().all()
    if not found:
        return []
    woken = update(gates).where(gates.c.id.in_(found)).values(wakes_at=None)
    rows = connection.execute(woken.returning(gates.c.run_id)).scalars().all()
    return [RunId(run_id) for run_id in dict.fromkeys(rows)]


def recheck_approvals(connection: Connection, *, graph: str) -> None:
    """Wake every run of a graph that waits for an approval, to check whether it needs it still."""
    of_graph = select(runs.c.id).where(runs.c.graph == graph)
    connection.execute(
        update(gates)
        .where(
            gates.c.status == GateStatus.OPEN,
            gates.c.kind == GateKind.APPROVAL,
            gates.c.run_id.in_(of_graph),
        )
        .values(wakes_at=database_now(connection.dialect))
    )


def escalate(connection: Connection, *, limit: int, at: datetime, actor: str) -> Sequence[Gate]:
    """Escalate open gates whose escalation is due, the longest due first."""
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
        record_event(connection, gate, "escalated", at=at, actor=actor, to=gate.escalates_to)
        notices.announce_escalation(connection, gate)
    return escalated
