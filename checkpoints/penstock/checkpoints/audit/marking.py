"""What is noted about a chain: how far it was verified, by whom, and what was found.

It stands apart from the head, which is locked last. A note is no proof: whoever owns the store can
write it. What proves something is to verify.
"""

from datetime import datetime

from sqlalchemy import Connection, select, update

from penstock.checkpoints.audit import shipping
from penstock.checkpoints.schema import audit_events, audit_marks
from penstock.contracts.audit import ChainStatus, Verification


def watch(connection: Connection, tenant: str) -> ChainStatus | None:
    """Return what is noted about a tenant's chain; None if it has not begun."""
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


def verified(
    connection: Connection,
    tenant: str,
    *,
    number: int,
    at: datetime,
    by: str,
    is_whole: bool,
    fault: str | None,
) -> bool:
    """Note how far a chain was verified, as a whole or what came since; return whether it is noted.

    Nobody waits: where another holds the row, what was found is not noted, and told all the same.
    """
    if not shipping.is_free(connection, tenant):
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
