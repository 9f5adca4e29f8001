"""Calls in doubt as somebody looks for them, and those of which more became known."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select, text

from penstock.checkpoints import gates as asking
from penstock.checkpoints.ledger.reading import gate_of
from penstock.checkpoints.ledger.rows import effect_of
from penstock.checkpoints.schema import effect_reports, effects, gates, runs
from penstock.contracts.effect import DoubtAnswer, EffectStatus, ReportKind
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import GateId, IdempotencyKey
from penstock.contracts.inbox import ListedDoubt, ResolvedDoubt

COUNT_LIMIT = 1_000
"""Nobody reads whether there are more."""

# In words, not parameters: only then do the indexes of calls and gates in doubt serve them.
_IN_DOUBT = text(f"effects.status = '{EffectStatus.IN_DOUBT}'")
_ASKS_SO = text(f"gates.kind = '{GateKind.IN_DOUBT}'")


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
    listed = asking.of_ids(connection, [gate_of(effect) for effect, _ in found])
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
    """Return calls that were in doubt, those first of which more became known last."""
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
    listed = asking.of_ids(connection, ids)
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


def _answer(gate: Gate) -> DoubtAnswer | None:
    """Return what was said at a gate; it is erased with its run."""
    told = None if gate.answer is None else json.loads(gate.answer)
    return None if told is None else DoubtAnswer(told["answer"])


def _tools(connection: Connection, keys: Sequence[IdempotencyKey]) -> Mapping[IdempotencyKey, str]:
    named = select(effects.c.key, effects.c.tool).where(effects.c.key.in_(keys))
    return {IdempotencyKey(row.key): row.tool for row in connection.execute(named)}


def _who_answered(
    connection: Connection, keys: Sequence[IdempotencyKey]
) -> frozenset[tuple[str, str]]:
    """Return which people have answered about which calls; what became known has no such line."""
    told = select(effect_reports.c.effect_key, effect_reports.c.actor).where(
        effect_reports.c.effect_key.in_(keys), effect_reports.c.kind == ReportKind.DECIDED
    )
    return frozenset((row.effect_key, row.actor) for row in connection.execute(told))
