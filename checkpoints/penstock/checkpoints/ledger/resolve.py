"""Resolving a doubt: by a look-up, now or later, or by a person."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from penstock.checkpoints import gates
from penstock.checkpoints.gates.closing import how_closed
from penstock.checkpoints.ledger.reading import gate_of, get, now_in
from penstock.checkpoints.ledger.rows import keep_result, report
from penstock.checkpoints.ledger.settle import move
from penstock.checkpoints.schema import effects
from penstock.contracts.effect import DoubtAnswer, Effect, EffectStatus, ReportKind
from penstock.contracts.errors import GateClosed, GateNotReady, UnknownEffect
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import RunId


def looked_up(
    connection: Connection, effect: Effect, why: str, *, next_s: float, at: datetime, actor: str
) -> None:
    """Record that a look-up could not tell, and have the run look again in `next_s` seconds."""
    report(connection, effect, ReportKind.LOOKED_UP, detail=why, at=at, actor=actor)
    gates.wake_later(connection, gate_of(effect), after_s=next_s)


def look_now(connection: Connection, gate: Gate, *, at: datetime, by: str) -> None:
    """Have the run of a gate that asks about an effect go on now, to look it up.

    Raises:
        GateClosed: it asks no more.
        GateNotReady: its attempt may still land, so a look-up could not tell; nothing was changed.
        UnknownEffect: the gate asks about none.
    """
    if gate.effect_key is None:
        raise UnknownEffect(f"gate `{gate.id}` asks about no effect")
    if gate.status is not GateStatus.OPEN:
        raise GateClosed(how_closed(gate))
    _refuse_early(connection, gate, get(connection, gate.effect_key))
    gates.wake_now(connection, gate, at=at, by=by)


def resolve(
    connection: Connection,
    gate: Gate,
    answer: DoubtAnswer,
    result: str | None,
    *,
    at: datetime,
    by: str,
) -> None:
    """Let an effect in doubt be what a person said it is.

    Raises:
        GateNotReady: its attempt may still land; nothing was changed.
        UnknownEffect: the gate asks about none.
    """
    if gate.effect_key is None:
        msg = f"gate `{gate.id}` asks about no effect"
        raise UnknownEffect(msg)
    effect = get(connection, gate.effect_key)
    _refuse_early(connection, gate, effect)
    report(connection, effect, ReportKind.DECIDED, detail=answer, at=at, actor=by)
    match answer:
        case DoubtAnswer.HAPPENED:
            inline, digest = keep_result(connection, result or "null")
            values: dict[str, Any] = {"result": inline, "result_digest": digest}
            move(connection, effect, EffectStatus.SUCCEEDED, values, at=at, actor=by)
        case DoubtAnswer.DID_NOT | DoubtAnswer.RETRY:
            values = {
                "error_code": "did_not_happen",
                "error_message": f"`{by}` says that it did not happen",
                "error_retryable": int(answer is DoubtAnswer.RETRY),
            }
            move(connection, effect, EffectStatus.FAILED, values, at=at, actor=by)
        case DoubtAnswer.COMPENSATE:
            connection.execute(
                update(effects).where(effects.c.key == effect.key).values(wants_undoing=1)
            )


def try_again(connection: Connection, run_id: RunId) -> None:
    """Have what failed for good be tried again when the run calls it again: a redrive."""
    connection.execute(
        update(effects)
        .where(effects.c.run_id == run_id, effects.c.status == EffectStatus.FAILED)
        .values(error_retryable=1)
    )


def _refuse_early(connection: Connection, gate: Gate, effect: Effect) -> None:
    """Let pass what is about an attempt that cannot land any more."""
    now = now_in(connection)
    if now < effect.settles_at:
        rest_s = (effect.settles_at - now).total_seconds()
        msg = (
            f"gate `{gate.id}` was not decided: attempt {effect.attempt} of `{effect.tool}` may"
            f" still land for {rest_s:.0f} s; answer it then"
        )
        raise GateNotReady(msg)
