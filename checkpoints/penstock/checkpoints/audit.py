"""The append-only record of who did what."""

import json

from sqlalchemy import Connection, insert

from penstock.checkpoints.schema import audit_events
from penstock.contracts.audit import AuditEvent


def append(connection: Connection, event: AuditEvent) -> None:
    """Write `event` in the transaction of what it tells of."""
    connection.execute(
        insert(audit_events).values(
            tenant=event.tenant,
            at=event.at,
            actor=event.actor,
            action=event.action,
            run_id=event.run_id,
            detail=json.dumps(event.detail, sort_keys=True),
        ),
    )
