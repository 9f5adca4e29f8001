"""Calls in doubt: nobody knows whether they happened. How they are listed, and resolved.

A doubt is resolved by a look-up, now or later, or by a person at the gate that asks.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text, update

from penstock.checkpoints.gates.closure import closed_message
from penstock.checkpoints.gates.inbox import of_ids
from penstock.checkpoints.gates.timers import wake_later, wake_now
from penstock.checkpoints.ledger.queries import database_time, gate_of, get
from penstock.checkpoints.ledger.rows import effect_of, record_report, store_result
from penstock.checkpoints.ledger.settlement import move, put_in_doubt
from penstock.checkpoints.schema import effect_reports, effects, gates, runs
from penstock.contracts.effect import DoubtAnswer, Effect, EffectStatus, ReportKind
from penstock.contracts.errors import GateClosed, GateNotReady, UnknownEffect
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import GateId, IdempotencyKey, RunId
from penstock.contracts.inbox import ListedDoubt, ResolvedDoubt
from penstock.contracts.tool import EffectClass

COUNT_LIMIT = 1_000
"""Counts stop here: nobody reads whether there are more."""

# As literals, not parameters: only then do the indexes of calls and gates in doubt serve them.
_IN_DOUBT = text(f"effects.status = '{EffectStatus.IN_DOUBT}'")
_ASKS_SO = text(f"gates.kind = '{GateKind.IN_DOUBT}'")

_CANCELLED = ("cut_off", "its run was cancelled before it was known what came of it")

_ANSWER_SCHEMA = json.dumps(
    {
        "type": "object",
        "oneOf": [
            {"properties": {"answer": {"const": DoubtAnswer.DID_NOT}}, "required": ["answer"]},
            {
                "properties": {"answer": {"const": DoubtAnswer.HAPPENED}, "result": {}},
                "required": ["answer", "result"],
            },
        ],
    }
)
"""The tool is not available where a run is cancelled, and its result will not be used."""


def doubts(
    connection: Connection, *, tenant: str, limit: int, offset: int = 0
) -> Sequence[ListedDoubt]:
    """Return a page of a tenant's calls in doubt, those that began first, with their gates."""
    statement = (
        select(*effects.c, runs.c.graph, runs.c.principal)
        .join(runs, runs.c.id == effects.c.run_id)
        .where(_IN_DOUBT, effects.c.tenant == tenant)
        .order_by(effects.c.started_at, effects.c.key)
        .limit(limit)
        .offset(offset)
    )
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    found = [(effect_of(row), row) for row in rows]
    listed = of_ids(connection, [gate_of(effect) for effect, _ in found])
    by_id = {each.gate.id: each.gate for each in listed}
    return [
        ListedDoubt(
            effect=effect,
            gate=by_id.get(gate_of(effect)),
            graph=row["graph"],
            principal=row["principal"],
        )
        for effect, row in found
    ]


def doubt_count(connection: Connection, *, tenant: str) -> int:
    """Return how many calls of a tenant are in doubt; of many, not all are counted."""
    some = select(effects.c.key).where(_IN_DOUBT, effects.c.tenant == tenant).limit(COUNT_LIMIT)
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def resolved(connection: Connection, *, tenant: str, limit: int) -> Sequence[ResolvedDoubt]:
    """Return calls that were in doubt, those that were resolved last first."""
    closed = (
        select(gates.c.id)
        .where(
            _ASKS_SO,
            gates.c.tenant == tenant,
            gates.c.status == GateStatus.DECIDED,
            # The index has those alone that were closed.
            gates.c.closed_at.is_not(None),
        )
        .order_by(gates.c.closed_at.desc())
        .limit(limit)
    )
    ids = [GateId(gate_id) for gate_id in connection.execute(closed).scalars()]
    listed = of_ids(connection, ids)
    keys = [each.gate.effect_key for each in listed if each.gate.effect_key is not None]
    tools = _tools(connection, keys)
    people = _who_answered(connection, keys)
    return [
        ResolvedDoubt(
            listed=each,
            tool=tools.get(each.gate.effect_key or IdempotencyKey(""), ""),
            answer=_answer(each.gate),
            is_by_person=(each.gate.effect_key, each.gate.decided_by) in people,
        )
        for each in listed
    ]


def record_lookup(
    connection: Connection, effect: Effect, why: str, *, next_s: float, at: datetime, actor: str
) -> None:
    """Record that a look-up was inconclusive, and schedule the next in `next_s` seconds."""
    record_report(connection, effect, ReportKind.LOOKED_UP, detail=why, at=at, actor=actor)
    wake_later(connection, gate_of(effect), after_s=next_s)


def request_lookup(connection: Connection, gate: Gate, *, at: datetime, by: str) -> None:
    """Wake the run of a gate that asks about an effect, to look the effect up now.

    Raises:
        GateClosed: it is closed.
        GateNotReady: its attempt may still land, so a look-up proves nothing; nothing was changed.
        UnknownEffect: the gate asks about none.
    """
    if gate.effect_key is None:
        raise UnknownEffect(f"gate `{gate.id}` asks about no effect")
    if gate.status is not GateStatus.OPEN:
        raise GateClosed(closed_message(gate))
    _refuse_early(connection, gate, get(connection, gate.effect_key))
    wake_now(connection, gate, at=at, by=by)


def resolve(
    connection: Connection,
    gate: Gate,
    answer: DoubtAnswer,
    result: str | None,
    *,
    at: datetime,
    by: str,
) -> None:
    """Resolve an effect in doubt by the answer of a person.

    Raises:
        GateNotReady: its attempt may still land; nothing was changed.
        UnknownEffect: the gate asks about none.
    """
    if gate.effect_key is None:
        msg = f"gate `{gate.id}` asks about no effect"
        raise UnknownEffect(msg)
    effect = get(connection, gate.effect_key)
    _refuse_early(connection, gate, effect)
    record_report(connection, effect, ReportKind.DECIDED, detail=answer, at=at, actor=by)
    match answer:
        case DoubtAnswer.HAPPENED:
            inline, digest = store_result(connection, result or "null")
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


def make_retryable(connection: Connection, run_id: RunId) -> None:
    """Make a run's failed effects retryable, for its redrive."""
    connection.execute(
        update(effects)
        .where(effects.c.run_id == run_id, effects.c.status == EffectStatus.FAILED)
        .values(error_retryable=1)
    )


def doubt_unsettled(connection: Connection, run_id: RunId, *, at: datetime, actor: str) -> None:
    """Put the unsettled calls of a cancelled run in doubt, and ask people.

    That includes repeatable calls: they may have happened, and will not be repeated. A call that
    ends after all settles its own doubt.
    """
    begun = select(effects).where(
        effects.c.run_id == run_id,
        effects.c.status == EffectStatus.STARTED,
        effects.c.effect != EffectClass.READ,
    )
    for row in connection.execute(begun).mappings().all():
        put_in_doubt(
            connection,
            effect_of(dict(row)),
            answer_schema=_ANSWER_SCHEMA,
            can_be_looked_up=False,
            why=_CANCELLED,
            at=at,
            actor=actor,
        )


def _answer(gate: Gate) -> DoubtAnswer | None:
    """Return the answer of a gate, unless it was erased with its run."""
    answer = None if gate.answer is None else json.loads(gate.answer)
    return None if answer is None else DoubtAnswer(answer["answer"])


def _tools(connection: Connection, keys: Sequence[IdempotencyKey]) -> Mapping[IdempotencyKey, str]:
    named = select(effects.c.key, effects.c.tool).where(effects.c.key.in_(keys))
    return {IdempotencyKey(row.key): row.tool for row in connection.execute(named)}


def _who_answered(
    connection: Connection, keys: Sequence[IdempotencyKey]
) -> frozenset[tuple[str, str]]:
    """Return which people have answered about which calls; a look-up leaves no such report."""
    answers = select(effect_reports.c.effect_key, effect_reports.c.actor).where(
        effect_reports.c.effect_key.in_(keys), effect_reports.c.kind == ReportKind.DECIDED
    )
    return frozenset((row.effect_key, row.actor) for row in connection.execute(answers))


def _refuse_early(connection: Connection, gate: Gate, effect: Effect) -> None:
    """Require that the attempt of an effect cannot land any more."""
    now = database_time(connection)
    if now < effect.settles_at:
        rest_s = (effect.settles_at - now).total_seconds()
        msg = (
            f"gate `{gate.id}` was not decided: attempt {effect.attempt} of `{effect.tool}` may"
            f" still land for {rest_s:.0f} s; answer it then"
        )
        raise GateNotReady(msg)
