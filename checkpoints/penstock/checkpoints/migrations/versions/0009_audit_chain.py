"""The audit as a chain of events for each tenant, append-only by triggers; keys of runs."""

import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ROWS = 1000
TEXTS = ("tenant", "actor", "action", "run_id", "detail")

SQLITE = (
    (
        "CREATE TRIGGER tr_audit_events_insert BEFORE INSERT ON audit_events WHEN NEW.number "
        "<> (SELECT coalesce(max(number), 0) FROM audit_events WHERE tenant = NEW.tenant) + 1"
        " OR NEW.previous <> coalesce((SELECT hash FROM audit_events WHERE tenant = "
        "NEW.tenant AND number = NEW.number - 1), "
        "'0000000000000000000000000000000000000000000000000000000000000000') BEGIN SELECT "
        "RAISE(ABORT, 'the audit chain is broken: this event is not the next one, or does not"
        " follow the last'); END"
    ),
    (
        "CREATE TRIGGER tr_audit_events_delete BEFORE DELETE ON audit_events WHEN OLD.number "
        "> coalesce((SELECT cut_number FROM audit_marks WHERE tenant = OLD.tenant), 0) BEGIN "
        "SELECT RAISE(ABORT, 'the audit chain is append-only: an event that is still to be "
        "kept cannot be deleted'); END"
    ),
    (
        "CREATE TRIGGER tr_audit_heads_insert BEFORE INSERT ON audit_heads WHEN NEW.number <>"
        " 0 OR (SELECT coalesce(max(number), 0) FROM audit_events WHERE tenant = NEW.tenant) "
        "<> 0 BEGIN SELECT RAISE(ABORT, 'the audit chain is broken: a head names the last "
        "event, and only moves on'); END"
    ),
    (
        "CREATE TRIGGER tr_audit_heads_update BEFORE UPDATE ON audit_heads WHEN NEW.tenant <>"
        " OLD.tenant OR NEW.number < OLD.number OR NOT EXISTS (SELECT 1 FROM audit_events "
        "WHERE tenant = NEW.tenant AND number = NEW.number AND hash = NEW.hash) BEGIN SELECT "
        "RAISE(ABORT, 'the audit chain is broken: a head names the last event, and only moves"
        " on'); END"
    ),
    (
        "CREATE TRIGGER tr_audit_heads_delete BEFORE DELETE ON audit_heads WHEN OLD.number = "
        "OLD.number BEGIN SELECT RAISE(ABORT, 'the audit chain is broken: a head names the "
        "last event, and only moves on'); END"
    ),
    (
        "CREATE TRIGGER tr_audit_marks_insert BEFORE INSERT ON audit_marks WHEN "
        "NEW.cut_number <> 0 BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only: an "
        "event that is still to be kept cannot be deleted'); END"
    ),
    (
        "CREATE TRIGGER tr_audit_marks_update BEFORE UPDATE ON audit_marks WHEN NEW.tenant <>"
        " OLD.tenant OR NEW.cut_number < OLD.cut_number OR NEW.cut_number >= coalesce((SELECT"
        " number FROM audit_heads WHERE tenant = NEW.tenant), 0) AND NEW.cut_number > 0 BEGIN"
        " SELECT RAISE(ABORT, 'the audit chain is append-only: an event that is still to be "
        "kept cannot be deleted'); END"
    ),
    (
        "CREATE TRIGGER tr_run_keys_update BEFORE UPDATE ON run_keys WHEN OLD.run_id = "
        "OLD.run_id BEGIN SELECT RAISE(ABORT, 'the key of a run does not change'); END"
    ),
    (
        "CREATE TRIGGER tr_audit_events_update BEFORE UPDATE ON audit_events WHEN NEW.reason "
        "IS NOT NULL OR NEW.tenant IS NOT OLD.tenant OR NEW.number IS NOT OLD.number OR "
        "NEW.at IS NOT OLD.at OR NEW.actor IS NOT OLD.actor OR NEW.action IS NOT OLD.action "
        "OR NEW.run_id IS NOT OLD.run_id OR NEW.detail IS NOT OLD.detail OR NEW.previous IS "
        "NOT OLD.previous OR NEW.hash IS NOT OLD.hash BEGIN SELECT RAISE(ABORT, 'the audit "
        "chain is append-only: only the reason can be erased from an event'); END"
    ),
)
POSTGRESQL = (
    (
        "CREATE OR REPLACE FUNCTION tr_audit_events_insert() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN IF NEW.number <> (SELECT coalesce(max(number), 0) FROM audit_events "
        "WHERE tenant = NEW.tenant) + 1 OR NEW.previous <> coalesce((SELECT hash FROM "
        "audit_events WHERE tenant = NEW.tenant AND number = NEW.number - 1), "
        "'0000000000000000000000000000000000000000000000000000000000000000') THEN RAISE "
        "EXCEPTION USING MESSAGE = 'the audit chain is broken: this event is not the next "
        "one, or does not follow the last', ERRCODE = 'integrity_constraint_violation'; END "
        "IF; RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_events_insert BEFORE INSERT ON audit_events FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_events_insert()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_events_delete() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN IF OLD.number > coalesce((SELECT cut_number FROM audit_marks WHERE "
        "tenant = OLD.tenant), 0) THEN RAISE EXCEPTION USING MESSAGE = 'the audit chain is "
        "append-only: an event that is still to be kept cannot be deleted', ERRCODE = "
        "'integrity_constraint_violation'; END IF; RETURN OLD; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_events_delete BEFORE DELETE ON audit_events FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_events_delete()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_heads_insert() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN IF NEW.number <> 0 OR (SELECT coalesce(max(number), 0) FROM audit_events"
        " WHERE tenant = NEW.tenant) <> 0 THEN RAISE EXCEPTION USING MESSAGE = 'the audit "
        "chain is broken: a head names the last event, and only moves on', ERRCODE = "
        "'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_heads_insert BEFORE INSERT ON audit_heads FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_heads_insert()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_heads_update() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN IF NEW.tenant <> OLD.tenant OR NEW.number < OLD.number OR NOT EXISTS "
        "(SELECT 1 FROM audit_events WHERE tenant = NEW.tenant AND number = NEW.number AND "
        "hash = NEW.hash) THEN RAISE EXCEPTION USING MESSAGE = 'the audit chain is broken: a "
        "head names the last event, and only moves on', ERRCODE = "
        "'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_heads_update BEFORE UPDATE ON audit_heads FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_heads_update()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_heads_delete() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN IF OLD.number = OLD.number THEN RAISE EXCEPTION USING MESSAGE = 'the "
        "audit chain is broken: a head names the last event, and only moves on', ERRCODE = "
        "'integrity_constraint_violation'; END IF; RETURN OLD; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_heads_delete BEFORE DELETE ON audit_heads FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_heads_delete()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_marks_insert() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN IF NEW.cut_number <> 0 THEN RAISE EXCEPTION USING MESSAGE = 'the audit "
        "chain is append-only: an event that is still to be kept cannot be deleted', ERRCODE "
        "= 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_marks_insert BEFORE INSERT ON audit_marks FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_marks_insert()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_marks_update() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN IF NEW.tenant <> OLD.tenant OR NEW.cut_number < OLD.cut_number OR "
        "NEW.cut_number >= coalesce((SELECT number FROM audit_heads WHERE tenant = "
        "NEW.tenant), 0) AND NEW.cut_number > 0 THEN RAISE EXCEPTION USING MESSAGE = 'the "
        "audit chain is append-only: an event that is still to be kept cannot be deleted', "
        "ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_marks_update BEFORE UPDATE ON audit_marks FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_marks_update()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_run_keys_update() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF OLD.run_id = OLD.run_id THEN RAISE EXCEPTION USING MESSAGE = 'the key of"
        " a run does not change', ERRCODE = 'integrity_constraint_violation'; END IF; RETURN "
        "NEW; END $$"
    ),
    (
        "CREATE TRIGGER tr_run_keys_update BEFORE UPDATE ON run_keys FOR EACH ROW EXECUTE "
        "FUNCTION tr_run_keys_update()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_events_update() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN IF NEW.reason IS NOT NULL OR NEW.tenant IS DISTINCT FROM OLD.tenant OR "
        "NEW.number IS DISTINCT FROM OLD.number OR NEW.at IS DISTINCT FROM OLD.at OR "
        "NEW.actor IS DISTINCT FROM OLD.actor OR NEW.action IS DISTINCT FROM OLD.action OR "
        "NEW.run_id IS DISTINCT FROM OLD.run_id OR NEW.detail IS DISTINCT FROM OLD.detail OR "
        "NEW.previous IS DISTINCT FROM OLD.previous OR NEW.hash IS DISTINCT FROM OLD.hash "
        "THEN RAISE EXCEPTION USING MESSAGE = 'the audit chain is append-only: only the "
        "reason can be erased from an event', ERRCODE = 'integrity_constraint_violation'; END"
        " IF; RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_events_update BEFORE UPDATE ON audit_events FOR EACH ROW "
        "EXECUTE FUNCTION tr_audit_events_update()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_events_truncate() RETURNS trigger LANGUAGE "
        "plpgsql AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'the audit chain is append-only:"
        " an event that is still to be kept cannot be deleted', ERRCODE = "
        "'integrity_constraint_violation'; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_events_truncate BEFORE TRUNCATE ON audit_events EXECUTE "
        "FUNCTION tr_audit_events_truncate()"
    ),
    (
        "CREATE OR REPLACE FUNCTION tr_audit_heads_truncate() RETURNS trigger LANGUAGE "
        "plpgsql AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'the audit chain is append-only:"
        " an event that is still to be kept cannot be deleted', ERRCODE = "
        "'integrity_constraint_violation'; END $$"
    ),
    (
        "CREATE TRIGGER tr_audit_heads_truncate BEFORE TRUNCATE ON audit_heads EXECUTE "
        "FUNCTION tr_audit_heads_truncate()"
    ),
)


def upgrade() -> None:
    """Make the tables, and chain what was recorded before, in its order."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.drop_index("ix_audit_events_tenant", "audit_events")
    op.drop_index("ix_audit_events_run_id", "audit_events")
    op.rename_table("audit_events", "audit_events_before")
    if not is_sqlite:
        op.execute("ALTER INDEX pk_audit_events RENAME TO pk_audit_events_before")
    _chain(*_tables())
    op.drop_table("audit_events_before")
    for statement in SQLITE if is_sqlite else POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)


def _tables() -> tuple[sa.Table, sa.Table, sa.Table, sa.Table]:
    events = op.create_table(
        "audit_events",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name=op.f("pk_audit_events")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_events_run_id", "audit_events", ["run_id", "number"])
    heads = op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_audit_heads")),
    )
    marks = op.create_table(
        "audit_marks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("cut_number", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("shipped_number", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("shipped_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_audit_marks")),
    )
    keys = op.create_table(
        "run_keys",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_keys")),
    )
    return events, heads, marks, keys


def _chain(events: sa.Table, heads: sa.Table, marks: sa.Table, keys: sa.Table) -> None:
    """Chain the events there are; reasons go beside the chain, under a key."""
    before = sa.table(
        "audit_events_before",
        sa.column("id", sa.BigInteger()),
        *(sa.column(name, sa.Text()) for name in TEXTS),
        sa.column("at", INSTANT),
    )
    connection, after = op.get_bind(), 0
    made: dict[str, tuple[int, str]] = {}
    known: dict[str, bytes] = {}
    while True:
        wanted = sa.select(before).where(before.c.id > after).order_by(before.c.id).limit(ROWS)
        rows = connection.execute(wanted).mappings().all()
        if not rows:
            break
        added: list[dict[str, Any]] = []
        for row in rows:
            number, previous = made.get(row["tenant"], (0, "0" * 64))
            one = _event(dict(row), number + 1, previous, known)
            made[row["tenant"]] = (number + 1, one["hash"])
            added.append(one)
        connection.execute(events.insert(), added)
        after = rows[-1]["id"]
    for tenant, (number, last) in made.items():
        connection.execute(heads.insert().values(tenant=tenant, number=number, hash=last))
        connection.execute(marks.insert().values(tenant=tenant))
    for run_id, key in known.items():
        connection.execute(keys.insert().values(run_id=run_id, key=key))


def _event(
    row: dict[str, Any], number: int, previous: str, known: dict[str, bytes]
) -> dict[str, Any]:
    detail = json.loads(row["detail"])
    reason = detail.pop("reason", None)
    if reason is not None:
        key = known.setdefault(row["run_id"], secrets.token_bytes(32))
        detail["reason_mac"] = hmac.digest(key, f"reason\0{reason}".encode(), "sha256").hex()
    at: datetime = row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC)
    told = {
        "tenant": row["tenant"],
        "number": number,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": row["actor"],
        "action": row["action"],
        "run_id": row["run_id"],
        "detail": detail,
        "previous": previous,
    }
    return {
        **told,
        "at": at.astimezone(UTC),
        "detail": _canonical(detail),
        "reason": reason,
        "hash": hashlib.sha256(_canonical(told).encode()).hexdigest(),
    }


def _canonical(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
