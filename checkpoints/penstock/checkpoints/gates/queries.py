"""Queries of gates and votes, their rows, and the audit events of a gate."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, Select, bindparam, func, or_, select

from penstock.checkpoints import audit
from penstock.checkpoints.schema import gate_approvals, gate_votes, gates
from penstock.checkpoints.statements import database_now, prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import Unit
from penstock.contracts.errors import UnknownGate
from penstock.contracts.gate import Channel, Edit, Gate, GateKind, GateStatus, Vote, VoteKind
from penstock.contracts.ids import GateId, IdempotencyKey, RunId
from penstock.contracts.policy import OnExpiry


def gates_of(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Gate]:
    """Return the gates of rows, with the approvals that each needs."""
    asking = [row["id"] for row in rows if row["kind"] == GateKind.APPROVAL]
    approvals: dict[str, dict[str, int]] = {gate_id: {} for gate_id in asking}
    if asking:
        wanted = select(gate_approvals).where(gate_approvals.c.gate_id.in_(asking))
        for row in connection.execute(wanted.order_by(gate_approvals.c.group_name)):
            approvals[row.gate_id][row.group_name] = row.approval_count
    return [_gate(row, approvals.get(row["id"])) for row in rows]


def record_event(
    connection: Connection,
    gate: Gate,
    action: str,
    *,
    at: datetime,
    actor: str,
    reason: str | None = None,
    **detail: str | int | bool | None,
) -> None:
    """Append an event of a gate to the audit chain; its question and answer only as codes."""
    texts = {"question": gate.question} if action == "opened" else {}
    if gate.binding is not None:
        texts["binding"] = gate.binding
    if gate.answer is not None:
        texts["answer"] = gate.answer
    audit.append(
        connection,
        AuditEvent(
            tenant=gate.tenant,
            at=at,
            actor=actor,
            action=f"gate.{action}",
            run_id=gate.run_id,
            detail={
                "gate": gate.id,
                "kind": gate.kind,
                "effect": gate.effect_key,
                "policy": gate.policy_digest,
                **detail,
            },
            reason=reason,
            texts=texts,
        ),
    )


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


def get_locked(connection: Connection, gate_id: GateId) -> tuple[Gate, datetime]:
    """Lock a gate, and return it with the database's time.

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


def list_open(connection: Connection, *, tenant: str | None, limit: int) -> Sequence[Gate]:
    """Return gates that wait for an answer, those that were opened first."""
    statement = select(gates).where(gates.c.status == GateStatus.OPEN)
    if tenant is not None:
        statement = statement.where(gates.c.tenant == tenant)
    ordered = statement.order_by(gates.c.opened_at, gates.c.id).limit(limit)
    rows = connection.execute(ordered).mappings()
    return gates_of(connection, [dict(row) for row in rows])


def approvals_of(connection: Connection, key: IdempotencyKey, *, run_id: RunId) -> Sequence[Gate]:
    """Return the valid approval gates of a run's call, the oldest first.

    There is at most one for each binding. The run of a copied thread may make the same call: its
    gates do not count here, unless an approval was used for this call.
    """
    rows = _approvals_of.rows(connection, {"of_key": key, "of_run": run_id})
    return gates_of(connection, rows) if rows else []


def editors_of(connection: Connection, gate: Gate) -> Sequence[str]:
    """Return the people who have edited the call that a gate asks about."""
    if gate.edit is None:
        return []
    edited = select(gates.c.edit_by).where(
        gates.c.run_id == gate.run_id,
        gates.c.effect_key == gate.effect_key,
        gates.c.edit_of_digest == gate.edit.of_digest,
    )
    return connection.execute(edited.distinct().order_by(gates.c.edit_by)).scalars().all()


def count_of(connection: Connection, key: IdempotencyKey, binding: str) -> int:
    """Return how many gates there were for a binding, superseded ones too."""
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
    """Tell whether one of these gates is closed."""
    statement = select(gates.c.id).where(
        gates.c.id.in_(gate_ids), gates.c.status != GateStatus.OPEN
    )
    return connection.execute(statement.limit(1)).first() is not None


def _gate(row: Mapping[str, Any], approvals: Mapping[str, int] | None) -> Gate:
    values: dict[str, Any] = dict(row)
    of_digest, arguments, by = (
        values.pop(f"edit_{name}") for name in ("of_digest", "arguments", "by")
    )
    values["kind"], values["status"] = GateKind(row["kind"]), GateStatus(row["status"])
    values["may_confirm_self"] = bool(row["may_confirm_self"])
    values["on_expiry"] = None if row["on_expiry"] is None else OnExpiry(row["on_expiry"])
    values["cap"] = None if row["cap"] is None else Unit(row["cap"])
    values["edit"] = (
        None if of_digest is None else Edit(of_digest=of_digest, arguments=arguments, by=by)
    )
    return Gate(**values, approvals=approvals)


@prepared()
def _approvals_of(_: Dialect) -> Select[Any]:
    of_call = select(*gates.c).where(
        gates.c.effect_key == bindparam("of_key"),
        gates.c.kind == GateKind.APPROVAL,
        gates.c.status != GateStatus.SUPERSEDED,
        or_(gates.c.run_id == bindparam("of_run"), gates.c.consumed_at.is_not(None)),
    )
    return of_call.order_by(gates.c.opened_at, gates.c.id)
