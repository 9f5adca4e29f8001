"""LangGraph's checkpoints."""

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from penstock.checkpoints.schema.columns import RowNumber, metadata

checkpoint_namespaces = Table(
    "checkpoint_namespaces",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("checkpoint_ns", Text, nullable=False),
    # Raised whenever stored versions are taken away, so that nobody builds on what is gone.
    Column("generation", BigInteger, nullable=False),
    UniqueConstraint("thread_id", "checkpoint_ns"),
    sqlite_autoincrement=True,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    # The order of arrival. Ids carry the clock of the machine that made them, and a worker whose
    # clock is late must not hide its own checkpoints behind older ones.
    Column("seq", RowNumber, Identity(), primary_key=True),
    Column("namespace_id", BigInteger, nullable=False),
    Column("checkpoint_id", Text, nullable=False),
    Column("parent_id", Text),
    Column("run_id", Text),
    Column("metadata", Text, nullable=False),
    Column("body_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("namespace_id", "checkpoint_id"),
)
Index("ix_checkpoints_namespace_id", checkpoints.c.namespace_id, checkpoints.c.seq)
Index(
    "ix_checkpoints_run_id",
    checkpoints.c.run_id,
    sqlite_where=checkpoints.c.run_id.is_not(None),
    postgresql_where=checkpoints.c.run_id.is_not(None),
)

checkpoint_values = Table(
    "checkpoint_values",
    metadata,
    Column("namespace_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("base_version", BigInteger),
    Column("link_count", Integer, nullable=False),
    Column("key_count", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("namespace_id", "channel", "version"),
)

checkpoint_writes = Table(
    "checkpoint_writes",
    metadata,
    Column("namespace_id", BigInteger, nullable=False),
    Column("checkpoint_id", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("task_path", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("namespace_id", "checkpoint_id", "task_id", "idx"),
    sqlite_with_rowid=False,
)
