"""What is recorded beside a chain: how far it was verified, exported and cut, and by whom.

A mark stands apart from the chain's head, which is locked last. A mark is no proof: whoever owns
the store can write it. Only a verification proves something.

No function here waits for another worker: what somebody else has locked is left to them.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, or_, select, update

from penstock.checkpoints.audit.chain import append
from penstock.checkpoints.schema import audit_events, audit_heads, audit_marks
from penstock.contracts.audit import CUT, AuditEvent, ChainStatus, Head, Verification


def heads_due(connection: Connection, *, every_count: int, before: datetime) -> Sequence[Head]:
    """Return heads that moved by `every_count` since their export, or were exported by `before`."""
    moved = audit_heads.c.number - audit_marks.c.shipped_number
    wanted = (
        select(audit_heads)
        .join(audit_marks, audit_marks.c.tenant == audit_heads.c.tenant)
        .where(
            moved > 0,
            or_(
                moved >= every_count,
                audit_marks.c.shipped_at.is_(None),
                audit_marks.c.shipped_at <= before,
            ),
        )
        .order_by(audit_heads.c.tenant)
    )
    return [
        Head(tenant=row.tenant, number=row.number, hash=row.hash)
        for row in connection.execute(wanted)
    ]


def record_export(connection: Connection, heads: Sequence[Head], *, at: datetime, to: str) -> None:
    """Record that heads were exported, but for rows that another worker has locked.

    Such a head is exported once more, which does no harm.
    """
    for head in heads:
        if try_lock(connection, head.tenant):
            connection.execute(
                update(audit_marks)
                .where(
                    audit_marks.c.tenant == head.tenant,
                    audit_marks.c.shipped_number < head.number,
                )
                .values(
                    shipped_number=head.number,
                    shipped_at=at,
                    shipped_to=to,
                    ship_failed_at=None,
                    ship_failure=None,
                )
            )


def record_export_failure(
    connection: Connection, heads: Sequence[Head], *, at: datetime, to: str, why: str
) -> None:
    """Record that heads could not be exported, and why."""
    for head in heads:
        if try_lock(connection, head.tenant):
            connection.execute(
                update(audit_marks)
                .where(audit_marks.c.tenant == head.tenant)
                .values(ship_failed_at=at, ship_failure=why, shipped_to=to)
            )


def try_lock(connection: Connection, tenant: str) -> bool:
    """Lock the marks of a chain, unless another transaction has; return whether they are locked."""
    free = select(audit_marks.c.tenant).where(audit_marks.c.tenant == tenant)
    return connection.execute(free.with_for_update(skip_locked=True)).first() is not None


def watch(connection: Connection, tenant: str) -> ChainStatus | None:
    """Return the marks of a tenant's chain; None if it has not begun."""
    row = connection.execute(select(audit_marks).where(audit_marks.c.tenant == tenant)).first()
    if row is None:
        return None
    verification = None
    if row.verified_at is not None:
        verification = Verification(
            number=row.verified_number,
            hash=row.verified_hash,
            at=row.verified_at,
            by=row.verified_by,
            whole_at=row.verified_whole_at,
            fault=row.verified_fault,
        )
    return ChainStatus(
        tenant=row.tenant,
        cut_number=row.cut_number,
        shipped_number=row.shipped_number,
        shipped_at=row.shipped_at,
        shipped_to=row.shipped_to,
        failed_at=row.ship_failed_at,
        failure=row.ship_failure,
        verification=verification,
    )


def record_verification(
    connection: Connection,
    tenant: str,
    *,
    number: int,
    at: datetime,
    by: str,
    is_whole: bool,
    fault: str | None,
) -> bool:
    """Record how far a chain was verified, whole or since the last time; return whether it was.

    Where another transaction has locked the row, nothing is recorded.
    """
    if not try_lock(connection, tenant):
        return False
    of_event = select(audit_events.c.hash).where(
        audit_events.c.tenant == tenant, audit_events.c.number == number
    )
    values = {
        "verified_number": number,
        "verified_hash": connection.execute(of_event).scalar() or "",
        "verified_at": at,
        "verified_by": by,
        "verified_fault": fault,
        **({"verified_whole_at": at} if is_whole else {}),
    }
    connection.execute(update(audit_marks).where(audit_marks.c.tenant == tenant).values(**values))
    return True


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
    """Delete at most `limit` of a tenant's events from before an instant; return how many.

    The chain records the cut, with the hash of the last deleted event: a beginning that is missing
    without such an event was deleted by somebody. A chain that another worker cuts is left to it.
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
    # The last event stays: the next one follows it.
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
