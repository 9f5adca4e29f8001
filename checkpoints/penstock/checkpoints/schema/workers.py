"""Workers: what each has said of itself, and when it was last heard of."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text

from penstock.checkpoints.schema.columns import UtcDateTime, metadata

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("graphs", Text, nullable=False),
    Column("slot_count", Integer, nullable=False),
    Column("beat_ms", Integer, nullable=False),
    Column("lease_ms", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("drain_by", Text),
    Column("drain_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    CheckConstraint("(drain_by IS NULL) = (drain_at IS NULL)", name="drain"),
)
Index("ix_workers_seen_at", workers.c.seen_at)
