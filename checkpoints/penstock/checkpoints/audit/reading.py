"""Reading the chains."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Subquery, func, select

from penstock.checkpoints.schema import audit_events, audit_heads
from penstock.contracts.audit import AuditEvent, ChainedEvent, Head
from penstock.contracts.ids import RunId

PAGE_ROWS = 2000
"""So many events are in memory at once."""


def of_run(connection: Connection, run_id: RunId) -> Sequence[AuditEvent]:
    """Return what happened to a run and its gates, in the order in which it was written."""
    statement = select(audit_events).where(audit_events.c.run_id == run_id)
    rows = connection.execute(statement.order_by(audit_events.c.number))
    return [
        AuditEvent(
            tenant=event.tenant,
            at=event.at,
            actor=event.actor,
            action=event.action,
            run_id=event.run_id,
            detail=event.told,
        )
        for event in map(event_of, rows)
    ]


def events(
    connection: Connection,
    tenant: str,
    *,
    run_id: RunId | None = None,
    since: datetime | None = None,
    after: int = 0,
) -> Iterator[ChainedEvent]:
    """Give a tenant's events in their order, from the one after number `after`, page by page."""
    wanted = select(audit_events).where(audit_events.c.tenant == tenant)
    if run_id is not None:
        wanted = wanted.where(audit_events.c.run_id == run_id)
    if since is not None:
        wanted = wanted.where(audit_events.c.at >= since)
    wanted = wanted.order_by(audit_events.c.number).limit(PAGE_ROWS)
    while True:
        rows = connection.execute(wanted.where(audit_events.c.number > after)).fetchall()
        for row in rows:
            yield event_of(row)
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1].number


def last(
    connection: Connection, tenant: str, *, run_id: RunId | None = None, limit: int
) -> Sequence[ChainedEvent]:
    """Return a tenant's last events, the oldest of them first."""
    wanted = select(audit_events).where(audit_events.c.tenant == tenant)
    if run_id is not None:
        wanted = wanted.where(audit_events.c.run_id == run_id)
    wanted = wanted.order_by(audit_events.c.number.desc()).limit(limit)
    return [event_of(row) for row in connection.execute(wanted)][::-1]


def head(connection: Connection, tenant: str) -> Head | None:
    """Return how far a tenant's chain has come, by its head; None if it has not begun."""
    wanted = select(audit_heads).where(audit_heads.c.tenant == tenant)
    row = connection.execute(wanted).first()
    return None if row is None else Head(tenant=row.tenant, number=row.number, hash=row.hash)


def heads(connection: Connection) -> Sequence[Head]:
    """Return how far every chain has come, also those of which only events are left."""
    found = {
        row.tenant: Head(tenant=row.tenant, number=row.number, hash=row.hash)
        for row in connection.execute(select(audit_heads))
    }
    for tenant in connection.execute(select(tenants())).scalars():
        found.setdefault(tenant, Head(tenant=tenant, number=0, hash=""))
    return [found[tenant] for tenant in sorted(found)]


def tenants() -> Subquery:
    """Return the query for the tenants that there are events of: a step in the index for each.

    Neither database would skip from one to the next by itself: `DISTINCT` reads every event.
    """
    of = audit_events.c.tenant
    found = select(func.min(of).label("tenant")).cte("found", recursive=True)
    after = select(func.min(of)).where(of > found.c.tenant).scalar_subquery()
    found = found.union_all(select(after).where(found.c.tenant.is_not(None)))
    return select(found.c.tenant).where(found.c.tenant.is_not(None)).subquery("tenants")


def event_of(row: Row[Any]) -> ChainedEvent:
    """Return the event that a row is."""
    return ChainedEvent(
        tenant=row.tenant,
        number=row.number,
        at=row.at,
        actor=row.actor,
        action=row.action,
        run_id=row.run_id,
        detail=row.detail,
        reason=row.reason,
        previous=row.previous,
        hash=row.hash,
    )
