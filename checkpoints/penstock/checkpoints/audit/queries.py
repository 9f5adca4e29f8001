"""Queries of the audit chains: events by run or number, heads, and a search page by page.

An index serves one action, one actor, one run or its gates, and the numbers of a period are found
by bisection. Tools stand within the detail, and two filters at once have no index of their own: for
those, a page scans a bounded number of events, and returns how far it came.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Subquery, func, select

from penstock.checkpoints.schema import audit_events, audit_heads, gates, runs
from penstock.contracts.audit import (
    AuditEvent,
    ChainedEvent,
    EventFilter,
    FoundEvents,
    Head,
    canonical,
)
from penstock.contracts.ids import GateId, RunId

PAGE_ROWS = 2000
"""How many events are in memory at once."""

WINDOW_ROWS = 200_000
"""How many events a page scans at most where no index serves the filter."""

SKEW = timedelta(hours=1)
"""How far apart the clocks of workers may be: events stand in the order of their commits."""


def of_run(connection: Connection, run_id: RunId) -> Sequence[AuditEvent]:
    """Return the events of a run and its gates, in the order in which they were written."""
    statement = select(audit_events).where(audit_events.c.run_id == run_id)
    rows = connection.execute(statement.order_by(audit_events.c.number))
    return [
        AuditEvent(
            tenant=event.tenant,
            at=event.at,
            actor=event.actor,
            action=event.action,
            run_id=event.run_id,
            detail=event.details,
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
    """Yield a tenant's events in their order, after the number `after`, page by page."""
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
    """Return the head of a tenant's chain; None if the chain has not begun."""
    wanted = select(audit_heads).where(audit_heads.c.tenant == tenant)
    row = connection.execute(wanted).first()
    return None if row is None else Head(tenant=row.tenant, number=row.number, hash=row.hash)


def heads(connection: Connection) -> Sequence[Head]:
    """Return the heads of all chains, also of those of which only events are left."""
    found = {
        row.tenant: Head(tenant=row.tenant, number=row.number, hash=row.hash)
        for row in connection.execute(select(audit_heads))
    }
    for tenant in connection.execute(select(tenants())).scalars():
        found.setdefault(tenant, Head(tenant=tenant, number=0, hash=""))
    return [found[tenant] for tenant in sorted(found)]


def tenants() -> Subquery:
    """Return the query for the tenants that have events: a step in the index for each.

    Neither database skips from one to the next by itself: `DISTINCT` reads every event.
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


def page(
    connection: Connection,
    wanted: EventFilter,
    *,
    before: int | None = None,
    limit: int,
    window: int = WINDOW_ROWS,
) -> FoundEvents:
    """Return events that fit, the last one first; `before` goes on below a number."""
    low, high = _bounds(connection, wanted)
    if before is not None:
        high = min(high, before)
    least = max(low, high - window) if _is_windowed(wanted) else low
    number = audit_events.c.number
    conditions = [*_where(connection, wanted), number < high, number >= least]
    statement = select(audit_events).where(*conditions).order_by(number.desc()).limit(limit + 1)
    rows = [event_of(row) for row in connection.execute(statement)]
    fitting = [event for event in rows[:limit] if _fits(event, wanted)]
    if len(rows) > limit:
        return FoundEvents(events=fitting, looked_to=rows[limit - 1].number, is_end=False)
    return FoundEvents(events=fitting, looked_to=least, is_end=least <= low)


def get(connection: Connection, tenant: str, number: int) -> ChainedEvent | None:
    """Return one event of a tenant."""
    row = connection.execute(
        select(audit_events).where(audit_events.c.tenant == tenant, audit_events.c.number == number)
    ).first()
    return None if row is None else event_of(row)


def actions(connection: Connection, tenant: str) -> Sequence[str]:
    """Return the actions that occur in a tenant's chain."""
    return _distinct(connection, tenant, audit_events.c.action, limit=1000)


def run_by_prefix(connection: Connection, tenant: str, typed: str) -> RunId | None:
    """Return the one run of a tenant whose id begins so; None where there is none, or more."""
    of_tenant = select(runs.c.id).where(runs.c.tenant == tenant)
    # Ids are of 0-9, a-f and hyphens: none that begins so comes after this.
    some = of_tenant.where(runs.c.id >= typed, runs.c.id < f"{typed}g").limit(2)
    found = connection.execute(some).scalars().all()
    return RunId(found[0]) if len(found) == 1 else None


def gate_by_prefix(connection: Connection, tenant: str, typed: str) -> tuple[GateId, RunId] | None:
    """Return the one gate of a tenant whose id begins so, and its run; None likewise."""
    some = select(gates.c.id, gates.c.run_id).where(gates.c.tenant == tenant)
    some = some.where(gates.c.id >= typed, gates.c.id < f"{typed}g").limit(2)
    found = connection.execute(some).all()
    return (GateId(found[0].id), RunId(found[0].run_id)) if len(found) == 1 else None


def _where(connection: Connection, wanted: EventFilter) -> list[ColumnElement[bool]]:
    events = audit_events.c
    served = {
        events.action: wanted.action,
        events.actor: wanted.actor,
        events.run_id: wanted.run_id,
    }
    # Of one run there are few: SQLite would still go through all of the tenant's, in their order.
    is_of_run = wanted.run_id is not None or wanted.gate_id is not None
    tenant = events.tenant.concat("") if is_of_run else events.tenant
    conditions: list[ColumnElement[bool]] = [tenant == wanted.tenant]
    for column, value in served.items():
        if value is not None:
            is_it = column == value
            conditions.append(is_it if _is_windowed(wanted) else _rare(connection, is_it))
    if wanted.gate_id is not None:
        of_gate = select(gates.c.run_id).where(gates.c.id == wanted.gate_id)
        run_id = connection.execute(of_gate).scalar()
        is_run = _rare(connection, events.run_id == run_id)
        conditions += [is_run, _holds("gate", wanted.gate_id)]
    if wanted.tool is not None:
        conditions.append(_holds("tool", wanted.tool))
    if wanted.since is not None:
        conditions.append(events.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(events.at < wanted.until)
    return conditions


def _holds(name: str, value: str) -> ColumnElement[bool]:
    """Return the condition that a detail, as canonical JSON, may hold a value under a name."""
    written = canonical({name: value})[1:-1]
    return audit_events.c.detail.contains(written, autoescape=True)


def _fits(event: ChainedEvent, wanted: EventFilter) -> bool:
    """Tell whether an event matches exactly: `LIKE` takes `Pay` for `pay`."""
    details = event.details
    is_gate = wanted.gate_id is None or details.get("gate") == wanted.gate_id
    return is_gate and (wanted.tool is None or details.get("tool") == wanted.tool)


def _is_windowed(wanted: EventFilter) -> bool:
    if wanted.run_id is not None or wanted.gate_id is not None:
        return False
    return wanted.tool is not None or (wanted.action is not None and wanted.actor is not None)


def _rare(connection: Connection, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return a condition with a hint for SQLite that few rows fit it.

    Without the hint it would scan all events in their order, whatever index there is.
    """
    if connection.dialect.name == "sqlite":
        return func.unlikely(condition)
    return condition


def _bounds(connection: Connection, wanted: EventFilter) -> tuple[int, int]:
    """Return the number of the first event of the period, and the one after the last."""
    number = audit_events.c.number
    of = audit_events.c.tenant == wanted.tenant
    first = connection.execute(select(func.min(number)).where(of)).scalar()
    last = connection.execute(select(func.max(number)).where(of)).scalar()
    if first is None or last is None:
        return 0, 0
    low, high = first, last + 1
    if wanted.since is not None:
        low = _number_at(connection, wanted.tenant, wanted.since - SKEW, low=first, high=high)
    if wanted.until is not None:
        high = _number_at(connection, wanted.tenant, wanted.until + SKEW, low=first, high=high)
    return low, max(low, high)


def _number_at(connection: Connection, tenant: str, at: datetime, *, low: int, high: int) -> int:
    """Return the number of the first event that was written at an instant or later."""
    wanted = select(audit_events.c.number, audit_events.c.at)
    wanted = wanted.where(audit_events.c.tenant == tenant).order_by(audit_events.c.number).limit(1)
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(wanted.where(audit_events.c.number >= middle)).first()
        if row is None or row.number >= high or row.at >= at:
            high = middle
        else:
            low = row.number + 1
    return low


def _distinct(
    connection: Connection, tenant: str, column: Column[str], *, limit: int
) -> Sequence[str]:
    """Return the values of a column that an index begins with, one step in it for each."""
    found: list[str] = []
    after = ""
    next_ = select(func.min(column)).where(audit_events.c.tenant == tenant)
    while len(found) < limit:
        value = connection.execute(next_.where(column > after)).scalar()
        if value is None:
            break
        found.append(value)
        after = value
    return found
