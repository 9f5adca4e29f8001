"""Gates in the store: opened with the state that waits for them, closed once."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from penstock.checkpoints import audit
from penstock.checkpoints.database import database_now, insert_or_keep
from penstock.checkpoints.schema import gates, runs
from penstock.checkpoints.statements import prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import Effect
from penstock.contracts.errors import GateClosed, UnknownGate
from penstock.contracts.gate import Gate, GateKind, GateStatus, Question
from penstock.contracts.ids import GateId, RunId
from penstock.contracts.run import Run, RunStatus


def ask(connection: Connection, run: Run, questions: Sequence[Question], *, at: datetime) -> None:
    """Open a gate for each question that has none yet."""
    for question in questions:
        added = connection.execute(
            insert_or_keep(connection.dialect, gates)
            .values(
                id=question.id,
                tenant=run.tenant,
                run_id=run.id,
                kind=GateKind.QUESTION,
                status=GateStatus.OPEN,
                question=question.question,
                answer_schema=question.answer_schema,
                opened_at=at,
            )
            .returning(gates.c.id)
        )
        if added.first() is not None:
            gate = get(connection, question.id)
            _tell(connection, gate, "gate.opened", at=at, actor="system")


def open_doubt(
    connection: Connection,
    gate_id: GateId,
    effect: Effect,
    *,
    answer_schema: str,
    wakes_at: datetime | None,
    at: datetime,
) -> None:
    """Open the gate that asks what became of an attempt, if it is not there yet."""
    question = {
        "did_it_happen": effect.tool,
        "arguments": json.loads(effect.arguments),
        "attempt": effect.attempt,
        "began_at": effect.started_at.isoformat(),
        "may_land_until": effect.settles_at.isoformat(),
        "why_in_doubt": effect.error_message,
    }
    added = connection.execute(
        insert_or_keep(connection.dialect, gates)
        .values(
            id=gate_id,
            tenant=effect.tenant,
            run_id=effect.run_id,
            kind=GateKind.IN_DOUBT,
            status=GateStatus.OPEN,
            question=json.dumps(question),
            answer_schema=answer_schema,
            opened_at=at,
            effect_key=effect.key,
            wakes_at=wakes_at,
        )
        .returning(gates.c.id)
    )
    if added.first() is not None:
        _tell(connection, get(connection, gate_id), "gate.opened", at=at, actor="system")


def close(
    connection: Connection, gate_id: GateId, *, answer: str, by: str, at: datetime
) -> Gate | None:
    """Close a gate whose question has answered itself; nothing if it was not open."""
    closed = connection.execute(
        update(gates)
        .where(gates.c.id == gate_id, gates.c.status == GateStatus.OPEN)
        .values(
            status=GateStatus.DECIDED, answer=answer, decided_by=by, closed_at=at, wakes_at=None
        )
        .returning(gates.c.id)
    )
    if closed.first() is None:
        return None
    gate = get(connection, gate_id)
    _tell(connection, gate, "gate.decided", at=at, actor=by)
    return gate


def wake_later(connection: Connection, gate_id: GateId, *, after_s: float) -> None:
    """Have the run of an open gate go on in so many seconds, to look for itself."""
    connection.execute(
        update(gates)
        .where(gates.c.id == gate_id, gates.c.status == GateStatus.OPEN)
        .values(wakes_at=database_now(connection.dialect, plus_s=after_s))
    )


def postpone(connection: Connection, gate_id: GateId, *, by_s: float) -> None:
    """Have the run of an open gate that is to go on to look for itself do so later."""
    connection.execute(
        update(gates)
        .where(
            gates.c.id == gate_id, gates.c.status == GateStatus.OPEN, gates.c.wakes_at.is_not(None)
        )
        .values(wakes_at=database_now(connection.dialect, plus_s=by_s))
    )


def due(connection: Connection, *, limit: int) -> Sequence[RunId]:
    """Return runs that wait at a gate and are to look for themselves, the longest due first.

    They are told once: what is returned is not due any more.
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


def get(connection: Connection, gate_id: GateId) -> Gate:
    """Return a gate.

    Raises:
        UnknownGate: there is none with this id.
    """
    row = connection.execute(select(gates).where(gates.c.id == gate_id)).mappings().first()
    if row is None:
        msg = f"no gate has the id `{gate_id}` in this store"
        raise UnknownGate(msg)
    return _gate(dict(row))


def of_run(connection: Connection, run_id: RunId) -> Sequence[Gate]:
    """Return the gates of a run in the order in which they were opened."""
    statement = select(gates).where(gates.c.run_id == run_id)
    rows = connection.execute(statement.order_by(gates.c.opened_at, gates.c.id))
    return [_gate(dict(row)) for row in rows.mappings()]


def open_ones(connection: Connection, *, tenant: str | None, limit: int) -> Sequence[Gate]:
    """Return gates that wait for an answer, those that were opened first."""
    statement = select(gates).where(gates.c.status == GateStatus.OPEN)
    if tenant is not None:
        statement = statement.where(gates.c.tenant == tenant)
    rows = connection.execute(statement.order_by(gates.c.opened_at, gates.c.id).limit(limit))
    return [_gate(dict(row)) for row in rows.mappings()]


def decide(
    connection: Connection, gate_id: GateId, *, answer: str, by: str, at: datetime
) -> tuple[Gate, bool]:
    """Close an open gate with `answer`; return it, and whether this call closed it.

    The same answer by the same person again changes nothing and is no error: a double click, a
    retried webhook.

    Raises:
        GateClosed: it was answered otherwise, or is closed for another reason.
        UnknownGate: there is no such gate.
    """
    decided = connection.execute(
        update(gates)
        .where(gates.c.id == gate_id, gates.c.status == GateStatus.OPEN)
        .values(status=GateStatus.DECIDED, answer=answer, decided_by=by, closed_at=at)
    )
    gate = get(connection, gate_id)
    if decided.rowcount == 1:
        _tell(connection, gate, "gate.decided", at=at, actor=by)
        return gate, True
    if (gate.status, gate.answer, gate.decided_by) == (GateStatus.DECIDED, answer, by):
        return gate, False
    who = "" if gate.decided_by is None else f" by `{gate.decided_by}`"
    when = "" if gate.closed_at is None else f" at {gate.closed_at.isoformat(timespec='seconds')}"
    msg = f"gate `{gate_id}` was {gate.status}{who}{when}; nothing was changed"
    raise GateClosed(msg)


def any_decided(connection: Connection, gate_ids: Sequence[GateId]) -> bool:
    """Tell whether one of these gates has its answer."""
    statement = select(gates.c.id).where(
        gates.c.id.in_(gate_ids), gates.c.status == GateStatus.DECIDED
    )
    return connection.execute(statement.limit(1)).first() is not None


def cancel_open(connection: Connection, run_id: RunId, *, at: datetime, actor: str) -> None:
    """Close the open gates of a run that is over.

    What became of an effect is asked all the same: that does not end with the run.
    """
    for row in _cancel_open.rows(connection, {"of_run": run_id, "at": at}):
        _tell(connection, _gate(row), "gate.cancelled", at=at, actor=actor)


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


def _tell(connection: Connection, gate: Gate, action: str, *, at: datetime, actor: str) -> None:
    audit.append(
        connection,
        AuditEvent(
            tenant=gate.tenant,
            at=at,
            actor=actor,
            action=action,
            run_id=gate.run_id,
            detail={"gate": gate.id, "kind": gate.kind},
        ),
    )


def _gate(row: Mapping[str, Any]) -> Gate:
    values: dict[str, Any] = dict(row)
    values["kind"], values["status"] = GateKind(row["kind"]), GateStatus(row["status"])
    return Gate(**values)
