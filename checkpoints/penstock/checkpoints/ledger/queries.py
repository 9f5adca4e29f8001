"""Queries of the ledger: effects and their reports, and the calls of each tool."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from penstock.checkpoints.ledger import rows
from penstock.checkpoints.ledger.rows import effect_of
from penstock.checkpoints.schema import effect_reports, effects, runs
from penstock.checkpoints.statements import database_now
from penstock.contracts.effect import Effect, EffectStatus, NewEffect, Report, ReportKind, UsedTool
from penstock.contracts.errors import UnknownEffect
from penstock.contracts.ids import GateId, IdempotencyKey, RunId
from penstock.contracts.tool import EffectClass

DOUBT_ROWS = 1000
"""How many calls in doubt are searched for those of one tool."""


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
    row = rows.find.first(connection, {"of_key": key})
    return None if row is None else effect_of(row)


def find_with_clock(connection: Connection, key: IdempotencyKey) -> tuple[Effect, datetime] | None:
    """Return an effect, if there is one with this key, and the database's time."""
    row = rows.find.first(connection, {"of_key": key})
    return None if row is None else (effect_of(row), row["now"])


def list_effects(
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


def keys_by_prefix(
    connection: Connection, beginning: str, *, tenant: str, limit: int
) -> Sequence[IdempotencyKey]:
    """Return the keys of a tenant's effects that begin with a prefix."""
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
    """Return a tenant's runs that have a call in doubt."""
    doubted = select(effects.c.run_id).where(
        effects.c.status == EffectStatus.IN_DOUBT, effects.c.tenant == tenant
    )
    return frozenset(connection.execute(doubted.distinct()).scalars())


def is_doubted(connection: Connection, run_id: RunId) -> bool:
    """Tell whether a run has a call in doubt."""
    doubted = select(effects.c.key).where(
        effects.c.run_id == run_id, effects.c.status == EffectStatus.IN_DOUBT
    )
    return connection.execute(doubted.limit(1)).first() is not None


def reports(connection: Connection, key: IdempotencyKey) -> Sequence[Report]:
    """Return the reports of an effect, in the order in which they were written."""
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
    name = f"{key}|{attempt}".encode()
    return GateId(hashlib.blake2b(name, digest_size=16).hexdigest())


def find_blocking(connection: Connection, new: NewEffect) -> tuple[Effect, datetime]:
    """Return the effect that blocks a new one, and the database's time."""
    row = rows.find.first(connection, {"of_key": new.key}) or _holding(connection, new)
    if row is None:
        msg = f"no effect has the key `{new.key}` in this store"
        raise UnknownEffect(msg)
    return effect_of(row), row["now"]


def find_by_business_key(connection: Connection, new: NewEffect) -> Effect | None:
    """Return the effect that holds the business key of a new one, if there is one."""
    row = _holding(connection, new)
    return None if row is None else effect_of(row)


def database_time(connection: Connection) -> datetime:
    """Return the database's time."""
    return connection.execute(select(database_now(connection.dialect))).scalar_one()


def used_tools(connection: Connection, *, tenant: str) -> Sequence[UsedTool]:
    """Return the tools of which a tenant has begun calls, by name."""
    # The index has the tools and their instants; a row is looked up only of each one's newest call.
    newest = (
        select(
            effects.c.tool,
            func.count().label("call_count"),
            func.max(effects.c.started_at).label("last"),
        )
        .where(effects.c.tenant == tenant)
        .group_by(effects.c.tool)
        .subquery()
    )
    statement = (
        select(
            effects.c.tool,
            effects.c.tool_version,
            effects.c.effect,
            effects.c.started_at,
            newest.c.call_count,
        )
        .join(
            newest,
            (effects.c.tool == newest.c.tool) & (effects.c.started_at == newest.c.last),
        )
        .where(effects.c.tenant == tenant)
        .order_by(effects.c.tool, effects.c.key)
    )
    # Two calls may have begun at one instant.
    return list(
        {
            row.tool: UsedTool(
                name=row.tool,
                version=row.tool_version,
                effect=EffectClass(row.effect),
                call_count=row.call_count,
                last_started_at=row.started_at,
            )
            for row in connection.execute(statement)
        }.values()
    )


def outcomes_of_tool(
    connection: Connection, tool: str, *, tenant: str, graph: str | None, since: datetime
) -> Mapping[EffectStatus, int]:
    """Return the statuses of a tool's calls since an instant, in one graph or all."""
    statement = (
        select(effects.c.status, func.count().label("number"))
        .where(
            effects.c.tenant == tenant,
            effects.c.tool == tool,
            effects.c.started_at >= since,
        )
        .group_by(effects.c.status)
    )
    if graph is not None:
        of_graph = (runs.c.id == effects.c.run_id) & (runs.c.graph == graph)
        statement = statement.join(runs, of_graph)
    found = {EffectStatus(row.status): row.number for row in connection.execute(statement)}
    return {status: found.get(status, 0) for status in EffectStatus}


def calls_of_tool(
    connection: Connection, tool: str, *, tenant: str, graph: str | None, limit: int
) -> Sequence[Effect]:
    """Return calls of a tool without large results, those that began last first."""
    statement = (
        select(effects)
        .where(effects.c.tenant == tenant, effects.c.tool == tool)
        .order_by(effects.c.started_at.desc(), effects.c.key)
        .limit(limit)
    )
    if graph is not None:
        of_graph = (runs.c.id == effects.c.run_id) & (runs.c.graph == graph)
        statement = statement.join(runs, of_graph)
    return [effect_of(dict(row)) for row in connection.execute(statement).mappings()]


def doubts_of_tool(
    connection: Connection, tool: str, *, tenant: str, graph: str | None, limit: int
) -> Sequence[Effect]:
    """Return a tool's calls in doubt, those that have been so for longest first."""
    # The few of all tools first: SQLite would look at every call that the tool has ever had.
    few = (
        select(effects)
        .where(effects.c.status == EffectStatus.IN_DOUBT)
        .order_by(effects.c.settles_at)
        .limit(DOUBT_ROWS)
        .subquery()
    )
    statement = (
        select(few)
        .where(few.c.tenant == tenant, few.c.tool == tool)
        .order_by(few.c.settles_at, few.c.key)
        .limit(limit)
    )
    if graph is not None:
        statement = statement.join(runs, (runs.c.id == few.c.run_id) & (runs.c.graph == graph))
    return [effect_of(dict(row)) for row in connection.execute(statement).mappings()]


def _holding(connection: Connection, new: NewEffect) -> dict[str, Any] | None:
    return rows.find_by_business_key.first(
        connection,
        {"of_tenant": new.tenant, "of_tool": new.tool, "of_business_key": new.business_key},
    )
