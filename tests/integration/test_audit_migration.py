"""A store from before events were chained: each is in its chain as it was, and all of it holds."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, create_engine

from penstock.checkpoints import Store, audit, migrate, migration
from penstock.checkpoints.audit.chain import find_key
from penstock.checkpoints.audit.verification import missing_triggers
from penstock.contracts.audit import GENESIS, ChainedEvent, mac
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Fence, RunStatus
from penstock.runs.audit import Auditor
from support import chains
from support.runs import NOW, Runs

TENANTS = ("acme", "übung")
STEP = timedelta(seconds=1, microseconds=1)
REASON = 'schluß "now"\n\u2028🙂'

Old = dict[str, Any]


def run_id(tenant: str, status: RunStatus) -> RunId:
    return RunId(hashlib.sha256(f"{tenant} {status}".encode()).hexdigest()[:32])


def told(tenant: str, status: RunStatus) -> Sequence[tuple[str, Old]]:
    """What a store at 0008 was told of a run that has come to a state."""
    plain = {"epoch": 0, "failure": None}
    claimed = ("run.claimed", {**plain, "epoch": 1})
    begun = [("run.queued", {**plain, "caller": "00-aß"}), claimed]
    gate = {"gate": gate_id(tenant, status), "kind": "question"}
    call = {"effect": effect_key(tenant, status), "tool": "pay", "attempt": 1}
    match status:
        case RunStatus.QUEUED:
            return begun[:1]
        case RunStatus.RUNNING:
            return [*begun, ("effect.started", call)]
        case RunStatus.WAITING:
            return [*begun, ("gate.opened", gate), ("run.waiting", claimed[1])]
        case RunStatus.FAILED:
            denied = {"effect": "e", "tool": "pay", "policy": "d" * 64, "because": "ceiling"}
            failed = {**claimed[1], "failure": "node_failed"}
            return [*begun, ("call.denied", denied), ("run.failed", failed)]
        case RunStatus.CANCELLED:
            why = {"epoch": 1, "failure": None, "reason": REASON}
            return [*begun, ("run.cancel_asked", why), ("run.cancelled", why)]
        case RunStatus.SUCCEEDED:
            calls = [("effect.started", call), ("effect.succeeded", call)]
            decided = [("gate.opened", gate), ("gate.decided", gate)]
            return [*begun, *calls, *decided, ("run.succeeded", claimed[1])]


def gate_id(tenant: str, status: RunStatus) -> str:
    return f"gate-{run_id(tenant, status)}"


def effect_key(tenant: str, status: RunStatus) -> str:
    return f"effect-{run_id(tenant, status)}"


def old_events() -> list[Old]:
    """The events of both tenants, in turns, with those that belong to no run or to nobody."""
    stories: list[list[tuple[str, RunId | None, str, Old]]] = [
        [(tenant, run_id(tenant, status), *each) for each in told(tenant, status)]
        for status in RunStatus
        for tenant in TENANTS
    ]
    rows = [each for depth in range(9) for story in stories for each in story[depth : depth + 1]]
    rows.insert(3, ("*", None, "policy.loaded", {"policy": "demo@1"}))
    rows.append(("acme", None, "delegation.created", {"delegation": 1, "to": "é", "of": "b"}))
    return [
        {
            "tenant": tenant,
            "at": NOW + STEP * place,
            "actor": f"worker-{place} ß",
            "action": action,
            "run_id": of_run,
            "detail": json.dumps(detail, sort_keys=True),
        }
        for place, (tenant, of_run, action, detail) in enumerate(rows)
    ]


def old_run(tenant: str, status: RunStatus) -> Old:
    is_running = status is RunStatus.RUNNING
    has_failed = status is RunStatus.FAILED
    return {
        "id": run_id(tenant, status),
        "tenant": tenant,
        "thread_id": f"{tenant}-{status}",
        "graph": "demo",
        "graph_version": "1",
        "fingerprint": "f",
        "input": "{}",
        "status": status,
        "epoch": 0 if status is RunStatus.QUEUED else 1,
        "worker_id": "w" if is_running else None,
        "lease_expires_at": NOW if is_running else None,
        "lost_count": 0,
        "created_at": NOW,
        "changed_at": NOW,
        "ended_at": NOW if status in ENDED else None,
        "failure_code": "node_failed" if has_failed else None,
        "failure_message": "no" if has_failed else None,
        "failure_redrivable": 1 if has_failed else None,
    }


def old_effect(tenant: str, status: RunStatus) -> Old:
    is_over = status is RunStatus.SUCCEEDED
    return {
        "key": effect_key(tenant, status),
        "tenant": tenant,
        "run_id": run_id(tenant, status),
        "thread_id": f"{tenant}-{status}",
        "lineage": f"{tenant}-{status}",
        "tool": "pay",
        "tool_version": "1",
        "effect": "unsafe",
        "arguments": "{}",
        "digest": "d",
        "status": "succeeded" if is_over else "started",
        "attempt": 1,
        "epoch": 1,
        "first_started_at": NOW,
        "started_at": NOW,
        "settles_at": NOW,
        "ended_at": NOW if is_over else None,
        "result": "1" if is_over else None,
        "error_retryable": 0,
        "wants_undoing": 0,
    }


def old_gate(tenant: str, status: RunStatus) -> Old:
    is_over = status is RunStatus.SUCCEEDED
    return {
        "id": gate_id(tenant, status),
        "tenant": tenant,
        "run_id": run_id(tenant, status),
        "kind": "question",
        "status": "decided" if is_over else "open",
        "question": '"why?"',
        "answer": '"so"' if is_over else None,
        "decided_by": "bob" if is_over else None,
        "opened_at": NOW,
        "closed_at": NOW if is_over else None,
    }


def fill(connection: Connection) -> None:
    tables = MetaData()
    tables.reflect(connection)
    rows = {
        "runs": [old_run(tenant, status) for tenant in TENANTS for status in RunStatus],
        "effects": [
            old_effect(tenant, status)
            for tenant in TENANTS
            for status in (RunStatus.RUNNING, RunStatus.SUCCEEDED)
        ],
        "gates": [
            old_gate(tenant, status)
            for tenant in TENANTS
            for status in (RunStatus.WAITING, RunStatus.SUCCEEDED)
        ],
        "audit_events": old_events(),
    }
    for name, values in rows.items():
        connection.execute(tables.tables[name].insert(), values)


@pytest.fixture
def migrated(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that was filled at 0008, in portions that end amid runs, and has come to the end."""
    with monkeypatch.context() as before:
        before.setattr(migration, "HEAD", "0008")
        migrate(empty_database_url)
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        fill(connection)
    engine.dispose()
    assert migrate(empty_database_url) == "0008"
    with Store.open(empty_database_url) as store:
        yield store


def chain(store: Store, tenant: str) -> Sequence[ChainedEvent]:
    return store.read_blocking(lambda connection: chains.rows(connection, tenant))


def test_nothing_is_wrong_with_a_store_that_was_migrated(migrated: Store) -> None:
    found = Auditor(migrated).verify()
    assert found.is_sound, [str(fault) for fault in found.faults]
    assert {each.tenant: each.number for each in found.chains} == {
        tenant: len([each for each in old_events() if each["tenant"] == tenant])
        for tenant in (*TENANTS, "*")
    }


@pytest.mark.parametrize("tenant", [*TENANTS, "*"])
def test_each_event_says_what_it_said_before(migrated: Store, tenant: str) -> None:
    before = [each for each in old_events() if each["tenant"] == tenant]
    rows = chain(migrated, tenant)
    assert [row.number for row in rows] == list(range(1, len(before) + 1))
    for old, row in zip(before, rows, strict=True):
        detail = json.loads(old["detail"])
        assert (row.at, row.actor, row.action, row.run_id, row.reason) == (
            *(old[name] for name in ("at", "actor", "action", "run_id")),
            detail.pop("reason", None),
        )
        assert {
            key: said for key, said in chains.detail_of(row).items() if key != "reason_mac"
        } == (detail)


@pytest.mark.parametrize("tenant", TENANTS)
def test_each_hash_is_of_the_bytes_that_the_documentation_names(
    migrated: Store, tenant: str
) -> None:
    # As an auditor would write it by `docs/audit.md`, without the code that made it.
    previous = GENESIS
    for row in chain(migrated, tenant):
        said = {
            "tenant": row.tenant,
            "number": row.number,
            "at": row.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "actor": row.actor,
            "action": row.action,
            "run_id": row.run_id,
            "detail": json.loads(row.detail),
            "previous": previous,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert row.hash == previous
    head = migrated.read_blocking(lambda connection: audit.head(connection, tenant))
    assert head is not None
    assert head.hash == previous


def test_a_reason_is_beside_the_chain_under_the_key_of_its_run(migrated: Store) -> None:
    for tenant in TENANTS:
        cancelled = run_id(tenant, RunStatus.CANCELLED)
        rows = [row for row in chain(migrated, tenant) if row.reason is not None]
        assert [(row.run_id, row.reason) for row in rows] == [(cancelled, REASON)] * 2
        key = migrated.read_blocking(
            lambda connection, cancelled=cancelled: find_key(connection, cancelled)
        )
        assert key is not None
        assert {row.codes["reason"] for row in rows} == {mac(key, "reason", REASON)}


def test_chains_go_on_where_the_migration_has_ended_them(migrated: Store) -> None:
    for tenant in (*TENANTS, "*"):
        before = chain(migrated, tenant)[-1]
        chains.tell(migrated, "after", tenant=tenant)
        after = chain(migrated, tenant)[-1]
        assert (after.number, after.previous) == (before.number + 1, before.hash)


def test_a_run_of_before_is_driven_on_and_the_chain_tells_of_it(migrated: Store) -> None:
    runs = Runs(migrated)
    fence = runs.claim(Fence(run_id=run_id("acme", RunStatus.QUEUED), epoch=0))
    runs.move(fence, RunStatus.SUCCEEDED)
    assert Auditor(migrated).verify().is_sound


def test_what_is_changed_after_the_migration_is_found(
    migrated: Store, empty_database_url: str
) -> None:
    chains.tamper(empty_database_url, chains.change(4, actor="mallory"))
    found = Auditor(migrated).verify(tenant="acme")
    assert [(fault.number, fault.what) for fault in found.faults] == [
        (4, "its text or its place was changed after it was written")
    ]
    assert migrated.read_blocking(missing_triggers) == []


def test_more_events_than_a_portion_are_one_chain(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2500
    with monkeypatch.context() as before:
        before.setattr(migration, "HEAD", "0008")
        migrate(empty_database_url)
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection, only=["audit_events"])
        row = {"at": NOW, "actor": "a", "action": "b", "run_id": None, "detail": "{}"}
        rows = [{**row, "tenant": TENANTS[place % 2]} for place in range(count)]
        connection.execute(tables.tables["audit_events"].insert(), rows)
    engine.dispose()
    migrate(empty_database_url)
    with Store.open(empty_database_url) as store:
        for tenant in TENANTS:
            found = chains.verified(store, tenant=tenant)
            assert (found.faults, found.number) == ([], count // 2)
