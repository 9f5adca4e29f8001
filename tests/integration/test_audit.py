"""Every event has its place in its tenant's chain, written with what it tells of, and no other."""

import hmac
import threading
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.exc import DBAPIError

from penstock.checkpoints import Store, audit
from penstock.checkpoints.audit.verification import missing_triggers
from penstock.checkpoints.schema import run_keys
from penstock.checkpoints.statements import Prepared, raw
from penstock.contracts.audit import GENESIS, AuditEvent, expected_hash
from penstock.contracts.errors import AuditBroken
from support import chains
from support.faults import CommitFails, Held
from support.runs import NOW

COPY, REST = "INSERT INTO audit_events SELECT", "at, actor, action, run_id, detail, reason"


def event(action: str, *, tenant: str = "acme", reason: str | None = None) -> AuditEvent:
    return AuditEvent(
        tenant=tenant,
        at=NOW,
        actor="test",
        action=action,
        run_id=None,
        detail={"what": "Gr\u00fc\u00dfe\n"},
        reason=reason,
    )


def write(store: Store, *actions: str, tenant: str = "acme") -> None:
    chains.tell(store, *actions, tenant=tenant)


def test_each_event_follows_the_one_before(store: Store) -> None:
    write(store, "a", "b", "c")
    rows = store.read_blocking(chains.rows)
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.previous for row in rows] == [GENESIS, rows[0].hash, rows[1].hash]
    assert all(expected_hash(row) == row.hash for row in rows)
    head = store.read_blocking(lambda connection: audit.head(connection, "acme"))
    assert head is not None
    assert (head.number, head.hash) == (3, rows[2].hash)


def test_each_tenant_has_a_chain_of_its_own(store: Store) -> None:
    def both(connection: Connection) -> None:
        for tenant in ("zeta", "acme", "zeta"):
            audit.append(connection, event("a", tenant=tenant))

    store.write_blocking(both)
    assert [row.number for row in store.read_blocking(chains.rows)] == [1]
    zeta = store.read_blocking(lambda connection: chains.rows(connection, "zeta"))
    assert [row.number for row in zeta] == [1, 2]
    assert chains.verified(store, tenant="zeta").number == 2


def test_what_is_undone_is_not_told(store: Store) -> None:
    def fail(connection: Connection) -> None:
        audit.append(connection, event("never"))
        raise LookupError("undone")

    write(store, "before")
    held = Held(store)
    posted = [
        store.post(lambda connection: audit.append(connection, event("one"))),
        store.post(fail),
        store.post(lambda connection: audit.append(connection, event("two"))),
    ]
    held.let_go()
    assert isinstance(posted[1].exception(), LookupError)
    posted[2].result()
    told = [row.action for row in store.read_blocking(chains.rows)]
    assert told == ["before", "one", "two"]
    assert chains.verified(store).faults == []


def test_a_commit_with_many_events_touches_each_head_once(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        write(store, "first")
        seen: list[str] = []

        def watch(connection: Connection) -> None:
            raw(connection).set_trace_callback(seen.append)
            for number in range(20):
                audit.append(connection, event(str(number)))

        store.write_blocking(watch)
        # A statement with a trigger is told of twice.
        moved = {statement for statement in seen if statement.startswith("UPDATE audit_heads")}
        assert len(moved) == 1
        assert chains.verified(store).number == 21


def test_writers_of_one_tenant_take_turns(database_url: str) -> None:
    with Store.open(database_url) as one, Store.open(database_url) as other:

        def many(store: Store) -> None:
            for number in range(20):
                write(store, f"{number}", tenant="zeta" if number % 2 else "acme")

        def both(connection: Connection) -> None:
            for tenant in ("zeta", "acme"):
                audit.append(connection, event("both", tenant=tenant))

        threads = [threading.Thread(target=many, args=(store,)) for store in (one, other)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            one.write_blocking(both)
        for thread in threads:
            thread.join()
        for tenant, count in (("acme", 30), ("zeta", 30)):
            found = chains.verified(one, tenant=tenant)
            assert (found.number, found.faults) == (count, [])


def test_a_chain_that_somebody_else_begins_meanwhile_goes_on(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(postgresql_url) as one, Store.open(postgresql_url) as other:
        first = Prepared.first
        others = ["other"]

        def first_then_other(statement: Any, connection: Connection, values: Any) -> Any:
            found = first(statement, connection, values)
            if found is None and "of_tenant" in values and others:
                write(other, others.pop())
            return found

        monkeypatch.setattr(Prepared, "first", first_then_other)
        write(one, "own")
        assert [row.action for row in one.read_blocking(chains.rows)] == ["other", "own"]
        assert chains.verified(one).number == 2


def test_a_chain_whose_head_was_deleted_takes_nothing_more(store: Store, database_url: str) -> None:
    write(store, "a")
    chains.tamper(database_url, chains.remove_head)
    with pytest.raises(AuditBroken, match="`penstock audit verify`"):
        write(store, "b")


def test_a_commit_that_fails_leaves_no_event_and_no_gap(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, "a")
    with CommitFails(monkeypatch, store), pytest.raises(Exception, match="failed"):
        write(store, "lost")
    write(store, "b")
    assert [row.action for row in store.read_blocking(chains.rows)] == ["a", "b"]
    assert chains.verified(store).number == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor = 'nobody' WHERE number = 2",
        "UPDATE audit_events SET reason = 'another' WHERE number = 2",
        "UPDATE audit_events SET hash = previous WHERE number = 2",
        "DELETE FROM audit_events WHERE number = 2",
        "DELETE FROM audit_events WHERE number = 3",
        f"{COPY} tenant, 9, {REST}, hash, hash FROM audit_events WHERE number = 3",
        f"{COPY} tenant, 4, {REST}, previous, hash FROM audit_events WHERE number = 3",
        f"{COPY} 'other', 1, {REST}, previous, hash FROM audit_events WHERE number = 3",
        "UPDATE audit_heads SET number = 2",
        "UPDATE audit_heads SET number = 4",
        "UPDATE audit_heads SET hash = 'x'",
        "UPDATE audit_heads SET tenant = 'other'",
        "UPDATE audit_marks SET cut_number = 3",
        "UPDATE audit_marks SET cut_number = -1",
        "INSERT INTO audit_marks (tenant, cut_number) VALUES ('other', 5)",
        "DELETE FROM audit_heads",
        "INSERT INTO audit_heads (tenant, number, hash) VALUES ('other', 5, 'x')",
        "UPDATE run_keys SET key = run_id",
    ],
)
def test_the_store_refuses_to_change_what_was_recorded(
    store: Store, database_url: str, statement: str
) -> None:
    write(store, "a", "b", "c")
    store.write_blocking(lambda connection: audit.append(connection, event("d", reason="why")))
    chains.tamper(database_url, lambda connection: _make_last(connection, 3))
    engine = create_engine(database_url)
    if "run_keys" in statement and engine.dialect.name == "postgresql":
        statement = "UPDATE run_keys SET key = '\\x00'"
    with engine.connect() as connection, pytest.raises(DBAPIError, match=r"chain|key of a run"):
        connection.execute(text(statement))
    engine.dispose()
    assert chains.verified(store).faults == []


def _make_last(connection: Connection, number: int) -> None:
    chains.remove(number + 1)(connection)
    chains.set_head(number)(connection)


def test_postgresql_refuses_to_empty_the_record(postgresql_url: str) -> None:
    with Store.open(postgresql_url) as store:
        write(store, "a")
        engine = create_engine(postgresql_url)
        for table in ("audit_events", "audit_heads"):
            with engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
                connection.execute(text(f"TRUNCATE {table}"))
        engine.dispose()
        assert chains.verified(store).number == 1


def test_a_trigger_that_is_missing_is_named(store: Store, database_url: str) -> None:
    assert store.read_blocking(missing_triggers) == []
    engine = create_engine(database_url)
    with engine.begin() as connection:
        on = "" if connection.dialect.name == "sqlite" else " ON audit_events"
        connection.execute(text(f"DROP TRIGGER tr_audit_events_delete{on}"))
    engine.dispose()
    assert store.read_blocking(missing_triggers) == ["tr_audit_events_delete"]


def test_nothing_is_written_to_a_store_whose_chain_is_broken(
    store: Store, database_url: str
) -> None:
    write(store, "a", "b")
    chains.tamper(database_url, chains.remove(2))
    with pytest.raises(AuditBroken, match=r"`penstock audit verify` says where .* tenant `acme`"):
        write(store, "c")
    write(store, "c", tenant="other")


def test_what_is_not_told_is_a_code_under_the_key_of_its_run(store: Store) -> None:
    run_id = chains.live_through(store)
    rows = [row for row in store.read_blocking(chains.rows) if row.run_id == run_id]
    key = bytes(store.read_blocking(lambda tx: tx.execute(select(run_keys.c.key)).scalar_one()))
    started = next(row for row in rows if row.action == "effect.started")
    wanted = hmac.new(key, b'arguments\0{"to": "a"}', "sha256").hexdigest()
    assert started.codes["arguments"] == wanted
    assert not any('"to"' in row.detail or "receipt" in row.detail for row in rows)
    assert "arguments_mac" not in started.details


def test_a_reason_can_be_erased_and_nothing_else(store: Store, database_url: str) -> None:
    store.write_blocking(lambda connection: audit.append(connection, event("a", reason="my own")))
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_events SET reason = NULL"))
    engine.dispose()
    assert store.read_blocking(chains.rows)[0].reason is None


def test_a_run_tells_of_all_that_happens_to_it(store: Store) -> None:
    run_id = chains.live_through(store)
    told = [row.action for row in store.read_blocking(chains.rows) if row.run_id == run_id]
    assert told == [
        "run.queued",
        "run.claimed",
        "effect.started",
        "effect.succeeded",
        "effect.started",
        "effect.failed",
        "gate.opened",
        "gate.decided",
        "call.denied",
        "run.succeeded",
    ]
    assert chains.verified(store).faults == []
    assert chains.differences(store) == []


def test_an_event_says_under_which_versions_it_happened(store: Store) -> None:
    chains.live_through(store)
    by_action = {row.action: row.details for row in store.read_blocking(chains.rows)}
    claimed, paid = by_action["run.claimed"], by_action["effect.succeeded"]
    assert (claimed["graph"], claimed["graph_version"], claimed["fingerprint"]) == (
        "demo",
        "1",
        "f",
    )
    assert (paid["tool"], paid["version"], paid["class"]) == ("pay", "1", "unsafe")
