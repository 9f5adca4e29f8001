"""What the ledger knows of tools: which were called, and what their calls came to."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from penstock.checkpoints.ledger.rows import effect_of
from penstock.checkpoints.schema import effects, runs
from penstock.contracts.effect import Effect, EffectStatus, UsedTool
from penstock.contracts.tool import EffectClass

DOUBT_ROWS = 1000
"""So many calls in doubt are looked through for those of one tool."""


def tools(connection: Connection, *, tenant: str) -> Sequence[UsedTool]:
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


def outcomes(
    connection: Connection, tool: str, *, tenant: str, graph: str | None, since: datetime
) -> Mapping[EffectStatus, int]:
    """Return what the calls of a tool came to that began last since then, in one graph or all."""
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


def calls(
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


def in_doubt(
    connection: Connection, tool: str, *, tenant: str, graph: str | None, limit: int
) -> Sequence[Effect]:
    """Return calls of a tool that are in doubt, those that have been for longest first."""
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
