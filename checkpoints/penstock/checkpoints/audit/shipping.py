"""Which heads are due to be signed and written out, and which were."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from penstock.checkpoints.schema import audit_heads, audit_marks
from penstock.contracts.audit import Head


def due(connection: Connection, *, every_count: int, before: datetime) -> Sequence[Head]:
    """Return heads that moved by so many events since they were written out, or since `before`."""
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


def shipped(connection: Connection, heads: Sequence[Head], *, at: datetime, to: str) -> None:
    """Note that heads were written out; of a row that another worker holds nothing is noted.

    Then its head is written out once more, which does no harm. Nobody waits for anybody here.
    """
    for head in heads:
        if is_free(connection, head.tenant):
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


def failed(
    connection: Connection, heads: Sequence[Head], *, at: datetime, to: str, why: str
) -> None:
    """Note that heads could not be written out, and why; likewise nobody waits."""
    for head in heads:
        if is_free(connection, head.tenant):
            connection.execute(
                update(audit_marks)
                .where(audit_marks.c.tenant == head.tenant)
                .values(ship_failed_at=at, ship_failure=why, shipped_to=to)
            )


def is_free(connection: Connection, tenant: str) -> bool:
    """Tell whether nobody else holds what is noted about a chain; then it is locked."""
    free = select(audit_marks.c.tenant).where(audit_marks.c.tenant == tenant)
    return connection.execute(free.with_for_update(skip_locked=True)).first() is not None
