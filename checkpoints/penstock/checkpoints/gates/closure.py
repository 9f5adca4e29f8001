"""Closing gates: by an answer, by a later finding, by time, or with the run."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from penstock.checkpoints.gates.queries import gates_of, get, record_event
from penstock.checkpoints.schema import gates
from penstock.checkpoints.statements import database_now, prepared
from penstock.contracts.errors import GateClosed, VoteRefused
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import GateId, IdempotencyKey, RunId


def decide(
    connection: Connection, gate_id: GateId, *, answer: str, by: str, at: datetime
) -> tuple[Gate, bool]:
    """Close an open gate with `answer`; return it, and whether this call closed it.

    The same answer by the same person again changes nothing and is no error: a double click, a
    retried webhook. A gate of kind `approval` is not closed so: it takes votes.

    Raises:
        GateClosed: it was answered otherwise, or is closed for another reason.
        VoteRefused: it takes votes, and no answer.
        UnknownGate: there is no such gate.
    """
    closed = close(connection, gate_id, answer=answer, by=by, at=at)
    if closed is not None:
        return closed, True
    gate = get(connection, gate_id)
    if (gate.status, gate.answer, gate.decided_by) == (GateStatus.DECIDED, answer, by):
        return gate, False
    if gate.kind is GateKind.APPROVAL:
        raise VoteRefused(f"gate `{gate.id}` takes votes: approve, reject, edit or respond")
    if gate.status is GateStatus.OPEN and gate.expires_at is not None:
        raise GateClosed(expired_message(gate.id, gate.expires_at))
    raise GateClosed(closed_message(gate))


def close(
    connection: Connection, gate_id: GateId, *, answer: str, by: str, at: datetime
) -> Gate | None:
    """Close a gate with what answers it; nothing if it was not open, or takes votes."""
    closed = connection.execute(
        update(gates)
        .where(
            gates.c.id == gate_id,
            gates.c.status == GateStatus.OPEN,
            gates.c.kind != GateKind.APPROVAL,
            or_(
                gates.c.expires_at.is_(None),
                gates.c.expires_at > database_now(connection.dialect),
            ),
        )
        .values(
            status=GateStatus.DECIDED, answer=answer, decided_by=by, closed_at=at, wakes_at=None
        )
        .returning(gates.c.id)
    )
    if closed.first() is None:
        return None
    gate = get(connection, gate_id)
    record_event(connection, gate, "decided", at=at, actor=by)
    return gate


def expired_message(gate_id: GateId, expires_at: datetime) -> str:
    """Return the message for a late decision at a gate that has expired."""
    return (
        f"gate `{gate_id}` expired at {expires_at.isoformat(timespec='seconds')}; nothing was"
        " changed"
    )


def closed_message(gate: Gate) -> str:
    """Return the message for a late decision, which says how the gate was closed."""
    answer: dict[str, Any] = (
        json.loads(gate.answer) if gate.kind is GateKind.APPROVAL and gate.answer else {}
    )
    decision = f", {answer['decision']}" if answer else ""
    who = "" if gate.decided_by is None else f" by `{gate.decided_by}`"
    when = "" if gate.closed_at is None else f" at {gate.closed_at.isoformat(timespec='seconds')}"
    return f"gate `{gate.id}` was {gate.status}{decision}{who}{when}; nothing was changed"


def expire(connection: Connection, *, limit: int, at: datetime, actor: str) -> Sequence[Gate]:
    """Close open gates whose time is over, by the database's clock, the longest due first."""
    due = (
        select(gates.c.id)
        .where(
            gates.c.status == GateStatus.OPEN,
            gates.c.expires_at <= database_now(connection.dialect),
        )
        .order_by(gates.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(due).scalars().all()
    return _close(connection, found, GateStatus.EXPIRED, at=at, actor=actor)


def supersede(
    connection: Connection, gate_ids: Sequence[GateId], *, at: datetime, actor: str
) -> None:
    """Close gates whose question is out of date, or whose approval is void.

    A gate whose approval was used is left as it is: it documents what happened.
    """
    _close(connection, gate_ids, GateStatus.SUPERSEDED, at=at, actor=actor)


def supersede_for_redrive(
    connection: Connection, run_id: RunId, *, at: datetime, actor: str
) -> None:
    """Supersede the undecided gates of a run that is redriven, so that it asks again."""
    asked = select(gates.c.id).where(
        gates.c.run_id == run_id,
        gates.c.kind.in_([GateKind.APPROVAL, GateKind.BUDGET]),
        gates.c.status.in_([GateStatus.CANCELLED, GateStatus.EXPIRED]),
    )
    supersede(connection, connection.execute(asked).scalars().all(), at=at, actor=actor)


def withdraw(
    connection: Connection, gate_ids: Sequence[GateId], *, at: datetime, actor: str
) -> None:
    """Close those of these gates that are open: their questions are withdrawn."""
    asking = select(gates.c.id).where(gates.c.id.in_(gate_ids), gates.c.status == GateStatus.OPEN)
    found = connection.execute(asking.with_for_update()).scalars().all()
    _close(connection, found, GateStatus.SUPERSEDED, at=at, actor=actor)


def others_of_call(
    connection: Connection, run_id: RunId, key: IdempotencyKey, *, apart_from: str
) -> Sequence[GateId]:
    """Return a run's open or approved gates about a call, apart from those of one binding.

    A refusal stays, whatever is asked after it.
    """
    others = select(*gates.c).where(
        gates.c.run_id == run_id,
        gates.c.effect_key == key,
        gates.c.kind == GateKind.APPROVAL,
        gates.c.status.in_([GateStatus.OPEN, GateStatus.DECIDED]),
        gates.c.binding != apart_from,
    )
    found = gates_of(connection, [dict(row) for row in connection.execute(others).mappings()])
    return [gate.id for gate in found if gate.status is GateStatus.OPEN or gate.is_approved]


def cancel_open(connection: Connection, run_id: RunId, *, at: datetime, actor: str) -> None:
    """Close the open gates of a run that is over.

    Gates about effects in doubt stay open: a doubt does not end with the run.
    """
    for gate in gates_of(connection, _cancel_open.rows(connection, {"of_run": run_id, "at": at})):
        record_event(connection, gate, "cancelled", at=at, actor=actor)


def _close(
    connection: Connection,
    gate_ids: Sequence[str],
    to: GateStatus,
    *,
    at: datetime,
    actor: str,
) -> Sequence[Gate]:
    if not gate_ids:
        return []
    closed = connection.execute(
        update(gates)
        .where(gates.c.id.in_(gate_ids), gates.c.consumed_at.is_(None))
        .values(status=to, closed_at=at, wakes_at=None)
        .returning(*gates.c)
    ).mappings()
    found = gates_of(connection, [dict(row) for row in closed])
    for gate in found:
        record_event(connection, gate, str(to), at=at, actor=actor)
    return found


@prepared()
def _cancel_open(_: Dialect) -> ReturningUpdate[Any]:
    return (
        update(gates)
        .where(
            gates.c.run_id == bindparam("of_run"),
            gates.c.status == GateStatus.OPEN,
            gates.c.kind != GateKind.IN_DOUBT,
        )
        .values(status=GateStatus.CANCELLED, closed_at=bindparam("at"))
        .returning(*gates.c)
    )
