"""The append-only record of who did what."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, Dialect, Insert, insert, select

from penstock.checkpoints.schema import audit_events
from penstock.checkpoints.statements import prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.ids import RunId


def append(connection: Connection, event: AuditEvent) -> None:
    """Write `event` in the transaction of what it tells of."""
    _append.execute(
        connection,
        {
            "tenant": event.tenant,
            "at": event.at,
            "actor": event.actor,
            "action": event.action,
            "run_id": event.run_id,
            "detail": json.dumps(event.detail, sort_keys=True),
        },
    )


def of_run(connection: Connection, run_id: RunId) -> Sequence[AuditEvent]:
    """Return what happened to a run and its gates, in the order in which it was written."""
    statement = select(audit_events).where(audit_events.c.run_id == run_id)
    return [
        AuditEvent(
            tenant=row.tenant,
            at=row.at,
            actor=row.actor,
            action=row.action,
            run_id=row.run_id,
            detail=json.loads(row.detail),
        )
        for row in connection.execute(statement.order_by(audit_events.c.id))
    ]


@prepared("tenant", "at", "actor", "action", "run_id", "detail")
def _append(_: Dialect) -> Insert:
    return insert(audit_events).inline()
