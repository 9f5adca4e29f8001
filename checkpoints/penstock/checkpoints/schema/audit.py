"""The append-only record: a chain of events for each tenant, and how far it has come."""

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    event,
    text,
)

from penstock.checkpoints.schema.audit_triggers import statements
from penstock.checkpoints.schema.columns import UtcDateTime, metadata

audit_events = Table(
    "audit_events",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("run_id", Text),
    Column("detail", Text, nullable=False),
    # In somebody's words. It is not chained, only a code of it, so that it can be erased.
    Column("reason", Text),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "number"),
    sqlite_with_rowid=False,
)
Index("ix_audit_events_run_id", audit_events.c.run_id, audit_events.c.number)
# What is searched by; whoever looks pages through it by number.
for _name in ("action", "actor"):
    Index(
        f"ix_audit_events_{_name}",
        audit_events.c.tenant,
        audit_events.c[_name],
        audit_events.c.number,
    )

# Who writes to a chain locks its head: a tenant's events are in one order, whoever writes them.
audit_heads = Table(
    "audit_heads",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

# What is noted about a chain by whoever looks after it: apart from its head, which is locked last.
audit_marks = Table(
    "audit_marks",
    metadata,
    Column("tenant", Text, primary_key=True),
    # Events up to this one are older than they are kept, and may be taken away.
    Column("cut_number", BigInteger, nullable=False, server_default=text("0")),
    # How far signed heads were written out, and when that was.
    Column("shipped_number", BigInteger, nullable=False, server_default=text("0")),
    Column("shipped_at", UtcDateTime),
    # Where they go, and why the last one did not go there.
    Column("shipped_to", Text),
    Column("ship_failed_at", UtcDateTime),
    Column("ship_failure", Text),
    # How far the chain was verified, by whom, when as a whole, and what was wrong first.
    Column("verified_number", BigInteger),
    Column("verified_hash", Text),
    Column("verified_at", UtcDateTime),
    Column("verified_by", Text),
    Column("verified_whole_at", UtcDateTime),
    Column("verified_fault", Text),
)

# What the codes of a run's arguments, results and words are made with. Without it they say nothing.
run_keys = Table(
    "run_keys",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

for _dialect in ("sqlite", "postgresql"):
    for _table, _statement in statements(_dialect):
        _made = DDL(_statement.replace("%", "%%")).execute_if(dialect=_dialect)
        event.listen(metadata.tables[_table], "after_create", _made)
