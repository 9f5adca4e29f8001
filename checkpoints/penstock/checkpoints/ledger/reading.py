"""Looking up effects."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from penstock.checkpoints.database import database_now
from penstock.checkpoints.ledger import sql
from penstock.checkpoints.ledger.rows import effect_of
from penstock.checkpoints.schema import effect_reports, effects
from penstock.contracts.effect import Effect, EffectStatus, NewEffect, Report, ReportKind
from penstock.contracts.errors import UnknownEffect
from penstock.contracts.ids import GateId, IdempotencyKey, RunId


def get(connection: Connection, key: IdempotencyKey) -> Effect:
    """Return an effect.

    Raises:
        UnknownEffect: there is none with this key.
    """
    found = find(connection, key)
    if found is None:
        msg = f"no effect has the key `{key}` in this store"
        raise UnknownEffect(msg)
    return found


def find(connection: Connection, key: IdempotencyKey) -> Effect | None:
    """Return an effect, if there is one with this key."""
    row = sql.find.first(connection, {"of_key": key})
    return None if row is None else effect_of(row)


def find_with_clock(connection: Connection, key: IdempotencyKey) -> tuple[Effect, datetime] | None:
    """Return an effect, if there is one with this key, and what the database's clock shows."""
    row = sql.find.first(connection, {"of_key": key})
    return None if row is None else (effect_of(row), row["now"])


def listed(
    connection: Connection,
    *,
    tenant: str | None = None,
    run_id: RunId | None = None,
    statuses: Sequence[EffectStatus] = (),
    tool: str | None = None,
    limit: int,
) -> Sequence[Effect]:
    """Return effects without large results, those that began last first."""
    statement = select(effects).order_by(effects.c.started_at.desc(), effects.c.key).limit(limit)
    for column, wanted in (
        (effects.c.tenant, tenant),
        (effects.c.run_id, run_id),
        (effects.c.tool, tool),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if statuses:
        statement = statement.where(effects.c.status.in_(sorted(statuses)))
    return [effect_of(dict(row)) for row in connection.execute(statement).mappings()]


def keys(
    connection: Connection, beginning: str, *, tenant: str, limit: int
) -> Sequence[IdempotencyKey]:
    """Return the keys of a tenant's effects that begin so."""
    statement = (
        select(effects.c.key)
        .where(
            effects.c.key >= beginning,
            # Keys are of 0-9 and a-f: none that begins so comes after this.
            effects.c.key < f"{beginning}g",
            effects.c.tenant == tenant,
        )
        .order_by(effects.c.key)
        .limit(limit)
    )
    return [IdempotencyKey(key) for key in connection.execute(statement).scalars()]


def doubted_runs(connection: Connection, *, tenant: str) -> frozenset[RunId]:
    """Return a tenant's runs of which people are still to say what became of a call."""
    doubted = select(effects.c.run_id).where(
        effects.c.status == EffectStatus.IN_DOUBT, effects.c.tenant == tenant
    )
    return frozenset(connection.execute(doubted.distinct()).scalars())


def is_doubted(connection: Connection, run_id: RunId) -> bool:
    """Tell whether people are still to say what became of a call of a run."""
    doubted = select(effects.c.key).where(
        effects.c.run_id == run_id, effects.c.status == EffectStatus.IN_DOUBT
    )
    return connection.execute(doubted.limit(1)).first() is not None


def reports(connection: Connection, key: IdempotencyKey) -> Sequence[Report]:
    """Return an effect's story, in the order in which it was written."""
    statement = select(effect_reports).where(effect_reports.c.effect_key == key)
    return [
        Report(
            attempt=row.attempt,
            kind=ReportKind(row.kind),
            at=row.at,
            actor=row.actor,
            detail=row.detail,
        )
        for row in connection.execute(statement.order_by(effect_reports.c.id))
    ]


def gate_of(effect: Effect) -> GateId:
    """Return the id of the gate that asks about the newest attempt of an effect."""
    return gate_id_of(effect.key, effect.attempt)


def gate_id_of(key: IdempotencyKey, attempt: int) -> GateId:
    """Return the id of the gate that asks about an attempt."""
    told = f"{key}|{attempt}".encode()
    return GateId(hashlib.blake2b(told, digest_size=16).hexdigest())


def look(connection: Connection, new: NewEffect) -> tuple[Effect, datetime]:
    """Return the effect that stands in the way of a new one, and what the clock shows."""
    row = sql.find.first(connection, {"of_key": new.key}) or _holding(connection, new)
    if row is None:
        msg = f"no effect has the key `{new.key}` in this store"
        raise UnknownEffect(msg)
    return effect_of(row), row["now"]


def holder(connection: Connection, new: NewEffect) -> Effect | None:
    """Return the effect that has the key of business of a new one, if any has."""
    row = _holding(connection, new)
    return None if row is None else effect_of(row)


def now_in(connection: Connection) -> datetime:
    """Return what the database's clock shows."""
    return connection.execute(select(database_now(connection.dialect))).scalar_one()


def _holding(connection: Connection, new: NewEffect) -> dict[str, Any] | None:
    return sql.find_by_business_key.first(
        connection,
        {"of_tenant": new.tenant, "of_tool": new.tool, "of_business_key": new.business_key},
    )
