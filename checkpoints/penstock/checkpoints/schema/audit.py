"""The tables of the audit chains, and the triggers that keep them append-only.

The triggers stop mistakes, and whoever has no right to drop the triggers. A change that goes around
them is for the verification of the chain to show.
"""

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

# The columns of the search, whose pages go by number.
for _name in ("action", "actor"):
    Index(
        f"ix_audit_events_{_name}",
        audit_events.c.tenant,
        audit_events.c[_name],
        audit_events.c.number,
    )


# A writer to a chain locks its head, so that a tenant's events are in one order.
audit_heads = Table(
    "audit_heads",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

# The marks beside a chain: apart from its head, which is locked last.
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

# The keys of the codes of a run's texts. Without its key a code says nothing.
run_keys = Table(
    "run_keys",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

_NO_PLACE = "the audit chain is broken: this event is not the next one, or does not follow the last"
_NO_CHANGE = "the audit chain is append-only: only the reason can be erased from an event"
_NO_DELETE = "the audit chain is append-only: an event that is still to be kept cannot be deleted"
_NO_HEAD = "the audit chain is broken: a head names the last event, and only moves on"
_NO_KEY = "the key of a run does not change"

_SAME = ("tenant", "number", "at", "actor", "action", "run_id", "detail", "previous", "hash")

_LAST = "(SELECT coalesce(max(number), 0) FROM audit_events WHERE tenant = NEW.tenant)"
_BEFORE = (
    "coalesce((SELECT hash FROM audit_events WHERE tenant = NEW.tenant"
    " AND number = NEW.number - 1), '" + "0" * 64 + "')"
)
_KEPT = "OLD.number > coalesce((SELECT cut_number FROM audit_marks WHERE tenant = OLD.tenant), 0)"
_NAMED = (
    "EXISTS (SELECT 1 FROM audit_events"
    " WHERE tenant = NEW.tenant AND number = NEW.number AND hash = NEW.hash)"
)
_BACK = f"NEW.tenant <> OLD.tenant OR NEW.number < OLD.number OR NOT {_NAMED}"
_TOO_MUCH = (
    "NEW.tenant <> OLD.tenant OR NEW.cut_number < OLD.cut_number OR NEW.cut_number >="
    " coalesce((SELECT number FROM audit_heads WHERE tenant = NEW.tenant), 0)"
    " AND NEW.cut_number > 0"
)


def _other(differs: str) -> str:
    same = " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in _SAME)
    return f"NEW.reason IS NOT NULL OR {same}"


RULES = (
    (
        "audit_events",
        "insert",
        f"NEW.number <> {_LAST} + 1 OR NEW.previous <> {_BEFORE}",
        _NO_PLACE,
    ),
    ("audit_events", "delete", _KEPT, _NO_DELETE),
    ("audit_heads", "insert", f"NEW.number <> 0 OR {_LAST} <> 0", _NO_HEAD),
    ("audit_heads", "update", _BACK, _NO_HEAD),
    ("audit_heads", "delete", "OLD.number = OLD.number", _NO_HEAD),
    ("audit_marks", "insert", "NEW.cut_number <> 0", _NO_DELETE),
    ("audit_marks", "update", _TOO_MUCH, _NO_DELETE),
    ("run_keys", "update", "OLD.run_id = OLD.run_id", _NO_KEY),
)
"""Which rows of which table may not be inserted, updated or deleted, and the message."""


def trigger_statements(dialect: str) -> list[tuple[str, str]]:
    """Return what makes the triggers, each with the table that it is on."""
    is_sqlite = dialect == "sqlite"
    update = ("audit_events", "update", _other("IS NOT" if is_sqlite else "IS DISTINCT FROM"))
    rules = (*RULES, (*update, _NO_CHANGE))
    if is_sqlite:
        return [(rule[0], _sqlite(*rule)) for rule in rules]
    made = [(rule[0], one) for rule in rules for one in _postgresql(*rule)]
    tables = ("audit_events", "audit_heads")
    return made + [(table, one) for table in tables for one in _no_truncate(table)]


def _sqlite(table: str, verb: str, condition: str, message: str) -> str:
    return (
        f"CREATE TRIGGER tr_{table}_{verb} BEFORE {verb.upper()} ON {table}"
        f" WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def _postgresql(table: str, verb: str, condition: str, message: str) -> tuple[str, str]:
    back = "OLD" if verb == "delete" else "NEW"
    body = f"IF {condition} THEN {_raise(message)} END IF; RETURN {back};"
    return _function(f"tr_{table}_{verb}", body), _trigger(table, verb, each=" FOR EACH ROW")


def _no_truncate(table: str) -> tuple[str, str]:
    body = _raise(_NO_DELETE)
    return _function(f"tr_{table}_truncate", body), _trigger(table, "truncate", each="")


def _raise(message: str) -> str:
    state = "integrity_constraint_violation"
    return f"RAISE EXCEPTION USING MESSAGE = '{message}', ERRCODE = '{state}';"


def _function(name: str, body: str) -> str:
    head = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
    return f"{head} AS $$ BEGIN {body} END $$"


def _trigger(table: str, verb: str, *, each: str) -> str:
    name = f"tr_{table}_{verb}"
    on = f"BEFORE {verb.upper()} ON {table}{each}"
    return f"CREATE TRIGGER {name} {on} EXECUTE FUNCTION {name}()"


for _dialect in ("sqlite", "postgresql"):
    for _table, _statement in trigger_statements(_dialect):
        _made = DDL(_statement.replace("%", "%%")).execute_if(dialect=_dialect)
        event.listen(metadata.tables[_table], "after_create", _made)
