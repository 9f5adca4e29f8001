"""Creating gates: for a graph's questions, for calls in doubt, and for approvals."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, update

from penstock.checkpoints.gates import notices
from penstock.checkpoints.gates.closure import others_of_call, supersede
from penstock.checkpoints.gates.queries import approvals_of, get, record_event
from penstock.checkpoints.schema import gate_approvals, gates
from penstock.checkpoints.statements import database_now, insert_or_keep
from penstock.contracts.effect import Effect
from penstock.contracts.gate import Gate, GateKind, GateStatus, NewApproval, Question
from penstock.contracts.ids import GateId
from penstock.contracts.run import Run


def open_questions(
    connection: Connection, run: Run, questions: Sequence[Question], *, at: datetime
) -> None:
    """Open a gate for each question without one, or whose gate was closed with its run."""
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
                effect_key=question.effect_key,
            )
            .returning(gates.c.id)
        )
        if added.first() is not None or _reopened(connection, question.id):
            gate = get(connection, question.id)
            record_event(connection, gate, "opened", at=at, actor="system")
            notices.announce(connection, gate)


def open_doubt(
    connection: Connection,
    gate_id: GateId,
    effect: Effect,
    *,
    answer_schema: str,
    wakes_at: datetime | None,
    at: datetime,
) -> None:
    """Open the gate that asks whether an attempt happened, if there is none yet."""
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
        gate = get(connection, gate_id)
        record_event(connection, gate, "opened", at=at, actor="system")
        notices.announce(connection, gate)


def open_approval(connection: Connection, asked: NewApproval, *, at: datetime, actor: str) -> Gate:
    """Open the gate that asks whether a call may happen, in place of all others about it.

    Its time runs by the database's clock. People are notified when it opens and before it expires.
    A gate that asks the same already is left as it is.
    """
    dialect, terms = connection.dialect, asked.terms
    superseded = others_of_call(
        connection, asked.run_id, asked.effect_key, apart_from=asked.binding
    )
    supersede(connection, superseded, at=at, actor=actor)
    edit = asked.edit
    added = connection.execute(
        insert_or_keep(dialect, gates)
        .values(
            id=asked.id,
            tenant=asked.tenant,
            run_id=asked.run_id,
            kind=GateKind.APPROVAL,
            status=GateStatus.OPEN,
            question=asked.question,
            opened_at=at,
            expires_at=database_now(dialect, plus_s=terms.expires_s),
            effect_key=asked.effect_key,
            binding=asked.binding,
            policy_digest=asked.policy_digest,
            requester=terms.requester,
            may_confirm_self=int(terms.may_confirm_self),
            on_expiry=terms.on_expiry,
            escalates_at=(
                None
                if terms.escalates_s is None
                else database_now(dialect, plus_s=terms.escalates_s)
            ),
            escalates_to=terms.escalates_to,
            edit_of_digest=None if edit is None else edit.of_digest,
            edit_arguments=None if edit is None else edit.arguments,
            edit_by=None if edit is None else edit.by,
        )
        .returning(gates.c.id)
    )
    if added.first() is None:
        standing = approvals_of(connection, asked.effect_key, run_id=asked.run_id)
        return next(gate for gate in standing if gate.binding == asked.binding)
    connection.execute(
        gate_approvals.insert(),
        [
            {"gate_id": asked.id, "group_name": group, "approval_count": count}
            for group, count in sorted(terms.approvals.items())
        ],
    )
    gate = get(connection, asked.id)
    record_event(
        connection, gate, "opened", at=at, actor=actor, edited_by=gate.edit and gate.edit.by
    )
    notices.announce(connection, gate, expires_s=terms.expires_s)
    return gate


def _reopened(connection: Connection, gate_id: GateId) -> bool:
    """Open a gate again that was closed with its run, which continues after all."""
    opened = connection.execute(
        update(gates)
        .where(gates.c.id == gate_id, gates.c.status == GateStatus.CANCELLED)
        .values(status=GateStatus.OPEN, closed_at=None)
    )
    return opened.rowcount == 1
