"""Looking up gates and votes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, Select, bindparam, func, or_, select

from penstock.checkpoints.database import database_now
from penstock.checkpoints.gates.rows import gates_of
from penstock.checkpoints.schema import gate_votes, gates
from penstock.checkpoints.statements import prepared
from penstock.contracts.errors import UnknownGate
from penstock.contracts.gate import Channel, Gate, GateKind, GateStatus, Vote, VoteKind
from penstock.contracts.ids import GateId, IdempotencyKey, RunId


def get(connection: Connection, gate_id: GateId) -> Gate:
    """Return a gate.

    Raises:
        UnknownGate: there is none with this id.
    """
    row = connection.execute(select(gates).where(gates.c.id == gate_id)).mappings().first()
    if row is None:
        msg = f"no gate has the id `{gate_id}` in this store"
        raise UnknownGate(msg)
    return gates_of(connection, [dict(row)])[0]


def locked(connection: Connection, gate_id: GateId) -> tuple[Gate, datetime]:
    """Return a gate that nobody else changes meanwhile, and what the database's clock shows.

    Raises:
        UnknownGate: there is none with this id.
    """
    # On SQLite whoever writes is alone.
    lock = select(gates.c.id, database_now(connection.dialect)).where(gates.c.id == gate_id)
    found = connection.execute(lock.with_for_update()).first()
    gate = get(connection, gate_id)
    return gate, gate.opened_at if found is None else found[1]


def of_run(connection: Connection, run_id: RunId) -> Sequence[Gate]:
    """Return the gates of a run in the order in which they were opened."""
    statement = select(gates).where(gates.c.run_id == run_id)
    rows = connection.execute(statement.order_by(gates.c.opened_at, gates.c.id)).mappings()
    return gates_of(connection, [dict(row) for row in rows])


def open_ones(connection: Connection, *, tenant: str | None, limit: int) -> Sequence[Gate]:
    """Return gates that wait for an answer, those that were opened first."""
    statement = select(gates).where(gates.c.status == GateStatus.OPEN)
    if tenant is not None:
        statement = statement.where(gates.c.tenant == tenant)
    ordered = statement.order_by(gates.c.opened_at, gates.c.id).limit(limit)
    rows = connection.execute(ordered).mappings()
    return gates_of(connection, [dict(row) for row in rows])


def approvals_of(connection: Connection, key: IdempotencyKey, *, run_id: RunId) -> Sequence[Gate]:
    """Return the gates about whether a run's call may happen that stand, the oldest first.

    Of what one binding stands for there is at most one. The run of a copied thread may make the
    same call: what that asked is its own affair, until its approval was used up for this call.
    """
    rows = _approvals_of.rows(connection, {"of_key": key, "of_run": run_id})
    return gates_of(connection, rows) if rows else []


def editors_of(connection: Connection, gate: Gate) -> Sequence[str]:
    """Return who has edited the call that a gate asks about, each on top of the one before."""
    if gate.edit is None:
        return []
    edited = select(gates.c.edit_by).where(
        gates.c.run_id == gate.run_id,
        gates.c.effect_key == gate.effect_key,
        gates.c.edit_of_digest == gate.edit.of_digest,
    )
    return connection.execute(edited.distinct().order_by(gates.c.edit_by)).scalars().all()


def count_of(connection: Connection, key: IdempotencyKey, binding: str) -> int:
    """Return how many gates have asked for what a binding stands for, superseded ones too."""
    asked = select(func.count()).where(gates.c.effect_key == key, gates.c.binding == binding)
    return connection.execute(asked).scalar_one()


def votes_of(connection: Connection, gate_id: GateId) -> Sequence[Vote]:
    """Return the votes at a gate, in the order in which they were cast."""
    statement = select(gate_votes).where(gate_votes.c.gate_id == gate_id)
    return [
        Vote(
            gate_id=GateId(row.gate_id),
            person=row.person,
            seat=row.seat,
            kind=VoteKind(row.kind),
            reason=row.reason,
            channel=Channel(row.channel),
            at=row.at,
        )
        for row in connection.execute(statement.order_by(gate_votes.c.at, gate_votes.c.seat))
    ]


def any_closed(connection: Connection, gate_ids: Sequence[GateId]) -> bool:
    """Tell whether one of these gates does not ask any more."""
    statement = select(gates.c.id).where(
        gates.c.id.in_(gate_ids), gates.c.status != GateStatus.OPEN
    )
    return connection.execute(statement.limit(1)).first() is not None


@prepared()
def _approvals_of(_: Dialect) -> Select[Any]:
    of_call = select(*gates.c).where(
        gates.c.effect_key == bindparam("of_key"),
        gates.c.kind == GateKind.APPROVAL,
        gates.c.status != GateStatus.SUPERSEDED,
        or_(gates.c.run_id == bindparam("of_run"), gates.c.consumed_at.is_not(None)),
    )
    return of_call.order_by(gates.c.opened_at, gates.c.id)
