"""The append-only record."""

from sqlalchemy import Column, Identity, Index, Table, Text

from penstock.checkpoints.schema.columns import RowNumber, UtcDateTime, metadata

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("run_id", Text),
    Column("detail", Text, nullable=False),
)
Index("ix_audit_events_tenant", audit_events.c.tenant, audit_events.c.id)
Index("ix_audit_events_run_id", audit_events.c.run_id)
