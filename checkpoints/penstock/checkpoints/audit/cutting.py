"""Taking away events that are older than they are to be kept, from the beginning of a chain on."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from penstock.checkpoints.audit.pen import append
from penstock.checkpoints.schema import audit_events, audit_marks
from penstock.contracts.audit import CUT, AuditEvent


def begins_before(connection: Connection, tenant: str, before: datetime) -> bool:
    """Tell whether the first event of a tenant was written before an instant."""
    first = select(audit_events.c.at).where(audit_events.c.tenant == tenant)
    at = connection.execute(first.order_by(audit_events.c.number).limit(1)).scalar()
    return at is not None and at < before


def count_before(connection: Connection, tenant: str, *, before: datetime) -> int:
    """Return how many of a tenant's events were written before an instant."""
    old = select(func.count()).where(audit_events.c.tenant == tenant, audit_events.c.at < before)
    return connection.execute(old).scalar_one()


def cut(
    connection: Connection, tenant: str, *, before: datetime, limit: int, at: datetime, actor: str
) -> int:
    """Take a tenant's events of before an instant away, so many at most; return how many.

    The chain itself tells of it, with the hash of the last one that is gone: a beginning that is
    missing otherwise was deleted by somebody. Nobody waits: what another worker cuts is left to it.
    """
    free = select(audit_marks.c.tenant).where(audit_marks.c.tenant == tenant)
    if connection.execute(free.with_for_update(skip_locked=True)).first() is None:
        return 0
    first = (
        select(audit_events.c.number, audit_events.c.at, audit_events.c.hash)
        .where(audit_events.c.tenant == tenant)
        .order_by(audit_events.c.number)
        .limit(limit + 1)
    )
    rows = connection.execute(first).fetchall()
    # The last one stays: what comes next follows it.
    old = 0
    while old < len(rows) - 1 and rows[old].at < before:
        old += 1
    if old == 0:
        return 0
    last = rows[old - 1]
    connection.execute(
        update(audit_marks).where(audit_marks.c.tenant == tenant).values(cut_number=last.number)
    )
    connection.execute(
        delete(audit_events).where(
            audit_events.c.tenant == tenant, audit_events.c.number <= last.number
        )
    )
    append(
        connection,
        AuditEvent(
            tenant=tenant,
            at=at,
            actor=actor,
            action=CUT,
            run_id=None,
            detail={"up_to": last.number, "hash": last.hash},
        ),
    )
    return old
