"""Settlement of tool calls: the outcome of an attempt, whoever reports it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, select, update

from penstock.checkpoints import budgets, gates, runs
from penstock.checkpoints.ledger import rows
from penstock.checkpoints.ledger.queries import gate_id_of, gate_of, get
from penstock.checkpoints.ledger.rows import effect_of, record_report, store_result
from penstock.checkpoints.schema import effect_reports, effects
from penstock.checkpoints.statements import database_now
from penstock.contracts.call import Failed
from penstock.contracts.effect import DoubtAnswer, Effect, EffectStatus, NewEffect, ReportKind
from penstock.contracts.ids import IdempotencyKey


def succeed(
    connection: Connection,
    key: IdempotencyKey,
    attempt: int,
    result: str,
    *,
    at: datetime,
    actor: str,
) -> Effect | None:
    """Record the result of an attempt; return the effect, or None if the report came too late."""
    inline, digest = store_result(connection, result)
    values = {"result": inline, "result_digest": digest}
    to = EffectStatus.SUCCEEDED
    return _settle(connection, key, attempt, to, values, at=at, actor=actor)


def fail(
    connection: Connection,
    key: IdempotencyKey,
    attempt: int,
    failed: Failed,
    *,
    at: datetime,
    actor: str,
) -> Effect | None:
    """Record that an attempt did not happen; return the effect, or None if that is too late.

    The effect has not failed where the attempt before was left open and may have happened. Then
    nothing is changed: the effect is to be tried again, or put in doubt.
    """
    if attempt > 1 and _is_left_open(connection, key, attempt - 1):
        found = get(connection, key)
        is_open = found.status in {EffectStatus.STARTED, EffectStatus.IN_DOUBT}
        return found if found.attempt == attempt and is_open else None
    return record_not_happened(connection, key, attempt, failed, at=at, actor=actor)


def record_not_happened(
    connection: Connection,
    key: IdempotencyKey,
    attempt: int,
    failed: Failed,
    *,
    at: datetime,
    actor: str,
) -> Effect | None:
    """Record that no attempt up to this one happened, as a look-up has shown.

    Returns the effect, or None if the report came too late.
    """
    return _settle(
        connection,
        key,
        attempt,
        EffectStatus.FAILED,
        {
            "error_code": failed.code,
            "error_message": failed.message,
            "error_retryable": int(failed.retryable),
        },
        at=at,
        actor=actor,
    )


def doubt(
    connection: Connection,
    effect: Effect,
    new: NewEffect,
    *,
    why: tuple[str, str],
    at: datetime,
    actor: str,
) -> Effect:
    """Put an attempt in doubt, and open the gate that asks people."""
    return put_in_doubt(
        connection,
        effect,
        answer_schema=new.answer_schema,
        can_be_looked_up=new.can_be_looked_up,
        why=why,
        at=at,
        actor=actor,
    )


def put_in_doubt(
    connection: Connection,
    effect: Effect,
    *,
    answer_schema: str,
    can_be_looked_up: bool,
    why: tuple[str, str],
    at: datetime,
    actor: str,
) -> Effect:
    """Put an attempt in doubt, and open the gate with the answers that are allowed."""
    code, message = why
    values = {"error_code": code, "error_message": message}
    to = EffectStatus.IN_DOUBT
    moved = _settle(connection, effect.key, effect.attempt, to, values, at=at, actor=actor)
    if moved is None:
        return get(connection, effect.key)
    gates.open_doubt(
        connection,
        gate_of(moved),
        moved,
        answer_schema=answer_schema,
        wakes_at=moved.settles_at if can_be_looked_up else None,
        at=at,
    )
    return moved


def record_compensation(
    connection: Connection, effect: Effect, *, at: datetime, actor: str
) -> Effect:
    """Record that an effect was undone."""
    moved = move(connection, effect, EffectStatus.COMPENSATED, {}, at=at, actor=actor)
    return get(connection, effect.key) if moved is None else moved


def prolong(connection: Connection, key: IdempotencyKey, attempt: int, *, by_s: float) -> None:
    """Extend the time in which an attempt that cannot be stopped may still land."""
    connection.execute(
        update(effects)
        .where(effects.c.key == key, effects.c.attempt == attempt)
        .values(settles_at=database_now(connection.dialect, plus_s=by_s))
    )
    # A look-up before that time would be inconclusive, so the gate's timer waits as well.
    gates.postpone(connection, gate_id_of(key, attempt), by_s=by_s)


def _is_left_open(connection: Connection, key: IdempotencyKey, attempt: int) -> bool:
    """Tell whether an attempt was followed by another without being known to have failed."""
    failed = select(effect_reports.c.id).where(
        effect_reports.c.effect_key == key,
        effect_reports.c.attempt == attempt,
        effect_reports.c.kind == ReportKind.FAILED,
    )
    return connection.execute(failed.limit(1)).first() is None


def _settle(
    connection: Connection,
    key: IdempotencyKey,
    attempt: int,
    to: EffectStatus,
    values: Mapping[str, Any],
    *,
    at: datetime,
    actor: str,
) -> Effect | None:
    """Record the outcome of an attempt, unless a later attempt or a final status is recorded."""
    for found in (EffectStatus.STARTED, EffectStatus.IN_DOUBT):
        if found is to:
            continue
        settled = _write(connection, key, attempt, found, to, values)
        if settled is None:
            continue
        detail = cast("str | None", values.get("error_message"))
        result = _result(values)
        record_report(
            connection, settled, ReportKind(to), detail=detail, result=result, at=at, actor=actor
        )
        if found is EffectStatus.IN_DOUBT:
            _close_gate(connection, settled, at=at, actor=actor)
        return settled
    return None


def move(
    connection: Connection,
    effect: Effect,
    to: EffectStatus,
    values: Mapping[str, Any],
    *,
    at: datetime,
    actor: str,
) -> Effect | None:
    """Move an effect that is unchanged since it was found; None if it has changed."""
    moved = _write(connection, effect.key, effect.attempt, effect.status, to, values)
    if moved is not None:
        result = _result(values)
        record_report(
            connection, moved, ReportKind(to), detail=None, result=result, at=at, actor=actor
        )
    return moved


def _result(values: Mapping[str, Any]) -> str | None:
    """Return a result, or the digest of one that is stored apart."""
    return values.get("result") or values.get("result_digest")


def _write(
    connection: Connection,
    key: IdempotencyKey,
    attempt: int,
    found: EffectStatus,
    to: EffectStatus,
    values: Mapping[str, Any],
) -> Effect | None:
    undoes = int(to is EffectStatus.COMPENSATED)
    where = {"of_key": key, "of_attempt": attempt, "found": found, "to": to, "undoes": undoes}
    row = rows.settle.first(connection, {**_NOTHING, **where, **values})
    if row is None:
        return None
    if to is not EffectStatus.IN_DOUBT:
        # A call that may have happened keeps its hold until its outcome is known.
        budgets.settle_whole(connection, key, happened=to is not EffectStatus.FAILED)
    return effect_of(row)


def _close_gate(connection: Connection, effect: Effect, *, at: datetime, actor: str) -> None:
    """Close the gate of an effect whose outcome became known, and wake its run."""
    happened = effect.status is EffectStatus.SUCCEEDED
    answer = json.dumps({"answer": DoubtAnswer.HAPPENED if happened else DoubtAnswer.DID_NOT})
    if gates.close(connection, gate_of(effect), answer=answer, by=actor, at=at):
        runs.wake(connection, effect.run_id, at=at, actor=actor)


_NOTHING: Mapping[str, Any] = {
    "result": None,
    "result_digest": None,
    "error_code": None,
    "error_message": None,
    "error_retryable": 0,
}
