"""Whatever is done to a chain around its triggers is found, and the sentence says where.

Each attack is made by somebody who owns the database: who takes the triggers away, and puts them
back. What only a signed head can show is attacked with and without one.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text, update

from penstock.checkpoints import Store, audit
from penstock.checkpoints.schema import (
    audit_events,
    effects,
    gate_votes,
    metadata,
)
from penstock.contracts.audit import CUT, AuditEvent, Head
from support import chains
from support.chains import Tamper, change, remove, rewrite, set_head
from support.databases import migrated_sqlite
from support.runs import NOW

WHERE = "of tenant `acme`, 2026-01-02T03:04:05.678901Z"
CHANGED = ": its text or its place was changed after it was written"
AS_IT_IS = " as that is now: one of the two was put in or rewritten"
CUT_OFF = ": what came after it was cut off"


def both(*doings: Tamper) -> Tamper:
    """Do one after the other."""

    def doing(connection: Connection) -> None:
        for each in doings:
            each(connection)

    return doing


def swap(one: int, other: int) -> Tamper:
    """Have two events change places."""
    return both(change(one, number=99), change(other, number=one), change(99, number=other))


def rehash(number: int, **values: str) -> Tamper:
    """Change an event, and give it the hash that fits what it says now."""

    def doing(connection: Connection) -> None:
        change(number, **values)(connection)
        row = chains.rows(connection)[number - 1]
        change(number, hash=chains.expected_hash(row))(connection)

    return doing


def insert_after(number: int) -> Tamper:
    """Put an event in, move all that come after it, and have everything follow but the last."""

    def doing(connection: Connection) -> None:
        found = chains.rows(connection)
        for row in reversed(found[number:]):
            change(row.number, number=row.number + 1)(connection)
        values = {name: getattr(found[0], name) for name in audit_events.c.keys()}  # noqa: SIM118
        connection.execute(audit_events.insert().values({**values, "number": number + 1}))

    return doing


def move_to_other(number: int) -> Tamper:
    """Give an event to another tenant."""
    return chains.change_of("acme", number, {"tenant": "other"})


def swap_tenants(connection: Connection) -> None:
    """Have two tenants change chains."""
    for before, after in (("acme", "third"), ("other", "acme"), ("third", "other")):
        for table in ("audit_events", "audit_heads"):
            moved = f"UPDATE {table} SET tenant = :after WHERE tenant = :before"  # noqa: S608
            connection.execute(text(moved), {"before": before, "after": after})


def all_gone(connection: Connection) -> None:
    """Delete every event, and leave the head."""
    connection.execute(audit_events.delete().where(audit_events.c.tenant == "acme"))


ATTACKS: dict[str, tuple[Tamper, str]] = {
    "an actor was changed": (
        change(2, actor="mallory"),
        f"row 2 {WHERE}{CHANGED}",
    ),
    "a blank in its detail was changed": (
        change(2, detail='{"n": 1}'),
        f"row 2 {WHERE}{CHANGED}",
    ),
    "a detail is no JSON any more": (
        change(2, detail="gone"),
        f"row 2 {WHERE}{CHANGED}",
    ),
    "an instant was moved": (
        change(3, at=NOW.replace(year=2025)),
        f"row 3 of tenant `acme`, 2025-01-02T03:04:05.678901Z{CHANGED}",
    ),
    "the first was changed": (
        change(1, action="z"),
        f"row 1 {WHERE}{CHANGED}",
    ),
    "one was changed and given its hash": (
        rehash(2, actor="mallory"),
        f"row 3 {WHERE}: it does not follow row 2{AS_IT_IS}",
    ),
    "the last was changed and given its hash": (
        rehash(5, actor="mallory"),
        f"row 5 {WHERE}: the head of the chain was changed: it is at 5",
    ),
    "one was deleted": (remove(3), f"row 4 {WHERE}: row 3 was deleted before it"),
    "several were deleted": (remove(2, 3), f"row 4 {WHERE}: rows 2 to 3 were deleted before it"),
    "the first was deleted": (
        remove(1),
        f"row 2 {WHERE}: rows 1 to 1 before it were deleted, not by retention",
    ),
    "the last was deleted": (remove(5), f"row 4 {WHERE}: row 5 was deleted after it"),
    "the last ones were deleted": (
        remove(4, 5),
        f"row 3 {WHERE}: rows 4 to 5 were deleted after it",
    ),
    "all were deleted": (all_gone, "tenant `acme`: all 5 rows were deleted: its head is at 5"),
    "one was put in": (
        insert_after(2),
        f"row 3 {WHERE}: it does not follow row 2{AS_IT_IS}",
    ),
    "two changed places": (
        swap(2, 3),
        f"row 2 {WHERE}: it does not follow row 1{AS_IT_IS}",
    ),
    "one went to another tenant": (
        move_to_other(5),
        f"row 4 {WHERE}: row 5 was deleted after it",
    ),
    "two tenants changed chains": (
        swap_tenants,
        f"row 1 {WHERE}{CHANGED}",
    ),
    "the head was set back": (
        set_head(3),
        f"row 5 {WHERE}: the head of the chain was changed: it is at 3",
    ),
    "the head was changed": (
        lambda connection: _execute(connection, "UPDATE audit_heads SET hash = 'x'"),
        f"row 5 {WHERE}: the head of the chain was changed: it is at 5",
    ),
    "the head was deleted": (
        lambda connection: _execute(connection, "DELETE FROM audit_heads"),
        f"row 5 {WHERE}: the head of the chain was deleted",
    ),
    "the beginning was rewritten": (
        lambda connection: _rewrite_until(connection, 3),
        f"row 4 {WHERE}: it does not follow row 3{AS_IT_IS}",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda name: name.replace(" ", "_"))
def test_it_is_found_where(store: Store, database_url: str, attack: str) -> None:
    doing, sentence = ATTACKS[attack]
    chains.tell(store, "a", "b", "c", "d", "e")
    chains.tell(store, "z", tenant="other")
    chains.tamper(database_url, doing)
    found = chains.verified(store)
    assert str(found.faults[0]) == sentence
    assert found.number < 5


# ---- what only a signed head can show ----

SIGNED: dict[str, tuple[Tamper, str]] = {
    "the whole chain was rewritten": (
        lambda connection: rewrite(connection, actor="mallory"),
        "row 2 of tenant `acme`: it is not the row that was signed: the chain was rewritten",
    ),
    "the end was rewritten": (
        lambda connection: rewrite(connection, after=3, actor="mallory"),
        "row 4 of tenant `acme`: it is not the row that was signed: the chain was rewritten",
    ),
    "the end was cut off and the head set back": (
        both(remove(4, 5), set_head(3)),
        f"row 4 of tenant `acme`: a signed head is at 4, and the chain ends with row 3{CUT_OFF}",
    ),
    "everything was deleted": (
        both(all_gone, lambda connection: _execute(connection, "DELETE FROM audit_heads")),
        f"row 2 of tenant `acme`: a signed head is at 2, and the chain ends with nothing{CUT_OFF}",
    ),
}


@pytest.mark.parametrize("attack", SIGNED, ids=lambda name: name.replace(" ", "_"))
def test_only_a_signed_head_shows_that(store: Store, database_url: str, attack: str) -> None:
    doing, sentence = SIGNED[attack]
    chains.tell(store, "a", "b", "c", "d", "e")
    written = store.read_blocking(chains.rows)
    signed = [Head(tenant="acme", number=at, hash=written[at - 1].hash) for at in (2, 4)]
    assert chains.verified(store, signed=signed).signed_number == 4
    chains.tamper(database_url, doing)
    assert chains.verified(store).faults == []
    found = chains.verified(store, signed=signed)
    assert str(found.faults[0]) == sentence
    assert found.number < 4


# ---- what the chain tells of ----


def set_row(table: str, **values: object) -> Tamper:
    """Change every row of a table."""

    def doing(connection: Connection) -> None:
        assert connection.execute(update(metadata.tables[table]).values(**values)).rowcount

    return doing


def of_effect(key: str, **values: object) -> Tamper:
    """Change an effect."""

    def doing(connection: Connection) -> None:
        changed = update(effects).where(effects.c.key == key).values(**values)
        assert connection.execute(changed).rowcount == 1

    return doing


ROWS: dict[str, tuple[Tamper, str]] = {
    "a run came to another end": (
        set_row("runs", status="cancelled"),
        r"run `\S+` is cancelled at epoch 1 in the store, and the chain left it succeeded at",
    ),
    "a run has another epoch": (
        set_row("runs", epoch=7),
        r"run `\S+` is succeeded at epoch 7 in the store, and the chain left it succeeded at",
    ),
    "an input was changed": (
        set_row("runs", input='{"to": "me"}'),
        r"row 1 .*: the input of run `\S+` was changed after it was queued",
    ),
    "a call that failed has succeeded": (
        of_effect("failed", status="succeeded", result="1", error_code=None, error_message=None),
        r"effect `failed` of run `\S+` is succeeded in the store .* left it failed after attempt 1",
    ),
    "a call was made more often": (
        of_effect("paid", attempt=3),
        r"effect `paid` of run `\S+` is succeeded in the store after attempt 3",
    ),
    "arguments were changed": (
        of_effect("paid", arguments='{"to":"b"}'),
        r"row 3 .*: the arguments of effect `paid` of run `\S+` were changed after it began",
    ),
    "a result was changed": (
        of_effect("paid", result='"nothing"'),
        r"row 4 .*: the result of effect `paid` of run `\S+` was changed after it was recorded",
    ),
    "a call was deleted": (
        lambda connection: _delete_effect(connection, "paid"),
        r"row 3 .*: effect `paid` was deleted from the ledger",
    ),
    "a call was put in": (
        lambda connection: _copy(connection, "effects", key="new"),
        r"tenant `acme`: nothing tells of effect `new` of run `\S+`: it was put in",
    ),
    "a run was put in": (
        lambda connection: _copy(connection, "runs", id="zz"),
        r"tenant `acme`: nothing tells of run `zz`: it was put in beside the runtime",
    ),
    "a gate was opened again": (
        set_row("gates", status="cancelled", decided_by=None, answer=None),
        r"gate `f{12}` of run `\S+` is cancelled in the store, and the chain left it decided",
    ),
    "an answer was changed": (
        set_row("gates", answer='"no"'),
        r"row 8 .*: the answer of gate `f{12}` of run `\S+` was changed after it was given",
    ),
    "a question was changed": (
        set_row("gates", question='"really?"'),
        r"row 7 .*: the question of gate `f{12}` of run `\S+` was changed after it was opened",
    ),
    "a gate was deleted": (
        lambda connection: _delete_gates(connection),  # noqa: PLW0108  (it is defined below)
        r"row 7 .*: gate `f{12}` was deleted from the store",
    ),
    "a vote was put in": (
        lambda connection: _vote(connection),  # noqa: PLW0108  (it is defined below)
        r"nothing tells of the vote of `mallory` at gate `f{12}`: it was changed, or put in",
    ),
    "a verdict was changed": (
        set_row("decisions", verdict="allow"),
        r"row 9 .*: what was decided about a call of run `\S+` was changed",
    ),
    "a request was changed": (
        set_row("decisions", request="{}"),
        r"row 9 .*: what was decided about a call of run `\S+` was changed",
    ),
    "a decision was deleted": (
        lambda connection: _execute(connection, "DELETE FROM decisions"),
        r"row 9 .*: 1 decisions about calls of run `\S+` were deleted",
    ),
    "a key was erased": (
        lambda connection: _execute(connection, "DELETE FROM run_keys"),
        r"row 1 .*: the key of run `\S+` was erased, and it was not forgotten",
    ),
}


@pytest.mark.parametrize("attack", ROWS, ids=lambda name: name.replace(" ", "_"))
def test_it_is_found_in_the_rows_where(store: Store, database_url: str, attack: str) -> None:
    doing, pattern = ROWS[attack]
    chains.live_through(store)
    assert chains.differences(store) == []
    chains.tamper(database_url, doing)
    assert chains.verified(store).faults == []
    told = [str(fault) for fault in chains.differences(store)]
    assert any(_search(pattern, one) for one in told), told


def test_a_reason_that_was_changed_is_found(store: Store, database_url: str) -> None:
    _say_why(store)
    chains.tamper(database_url, change(1, reason="another"))
    (fault,) = chains.verified(store).faults
    assert str(fault) == f"row 1 {WHERE}: its reason was changed after it was written"


def test_a_reason_that_was_erased_without_its_run_is_found(store: Store, database_url: str) -> None:
    _say_why(store)
    chains.tamper(database_url, change(1, reason=None))
    (fault,) = chains.verified(store).faults
    assert str(fault) == f"row 1 {WHERE}: its reason was erased, and its run was not forgotten"


def test_a_reason_that_was_added_is_found(store: Store, database_url: str) -> None:
    chains.tell(store, "a")
    chains.tamper(database_url, change(1, reason="said so"))
    (fault,) = chains.verified(store).faults
    assert str(fault) == f"row 1 {WHERE}: its reason was added after it was written"


def test_a_beginning_that_retention_took_away_is_not_missing(
    store: Store, database_url: str
) -> None:
    _cut(store, 2, right=True)
    chains.tamper(database_url, remove(1, 2))
    found = chains.verified(store)
    assert (found.faults, found.number, found.cut_number) == ([], 4, 2)


def test_more_than_retention_took_away_is_missing(store: Store, database_url: str) -> None:
    _cut(store, 1, right=True)
    chains.tamper(database_url, remove(1, 2))
    (fault,) = chains.verified(store).faults
    assert str(fault) == f"row 3 {WHERE}: rows 1 to 2 before it were deleted, not by retention"


def test_a_beginning_that_is_another_than_was_cut_is_found(store: Store, database_url: str) -> None:
    _cut(store, 2, right=False)
    chains.tamper(database_url, remove(1, 2))
    assert len(chains.verified(store).faults) == 1


# ---- whatever it is ----

COLUMNS = ("tenant", "number", "at", "actor", "action", "run_id", "detail", "previous", "hash")


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tampering")
    with Store.open(migrated_sqlite(folder)) as store:
        chains.live_through(store)
        chains.tell(store, "z", "z", tenant="other")
    return folder / "penstock.db"


@given(data=st.data())
@settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_change_to_a_chain_is_overlooked(
    migrated: Path, tmp_path: Path, data: st.DataObject
) -> None:
    file = tmp_path / "copy.db"
    file.write_bytes(migrated.read_bytes())
    url = f"sqlite:///{file}"
    with Store.open(url) as store:
        before = store.read_blocking(_all_rows)
        doing = data.draw(st.sampled_from((_draw_change, _draw_removal, _draw_swap)))(data, before)
        chains.tamper(url, doing)
        after = store.read_blocking(_all_rows)
        faults = [fault for tenant in ("acme", "other") for fault in _faults_of(store, tenant)]
        assert bool(faults) == (before != after), (before, after)


def _draw_change(data: st.DataObject, rows: Sequence[Sequence[object]]) -> Tamper:
    row = data.draw(st.sampled_from(rows))
    column = data.draw(st.sampled_from(COLUMNS))
    value: object = data.draw(st.text(st.characters(codec="utf-8"), max_size=8))
    if column == "at":
        value = data.draw(st.datetimes(min_value=NOW.replace(tzinfo=None))).replace(
            tzinfo=NOW.tzinfo
        )
    if column == "number":
        value = data.draw(st.integers(100, 200))
    return chains.change_of(str(row[0]), int(str(row[1])), {column: value})


def _draw_removal(data: st.DataObject, rows: Sequence[Sequence[object]]) -> Tamper:
    row = data.draw(st.sampled_from(rows))
    return remove(int(str(row[1])), tenant=str(row[0]))


def _draw_swap(data: st.DataObject, rows: Sequence[Sequence[object]]) -> Tamper:
    own = [int(str(row[1])) for row in rows if row[0] == "acme"]
    one, other = data.draw(st.permutations(own))[:2]
    return swap(one, other)


def _faults_of(store: Store, tenant: str) -> Sequence[object]:
    return [*chains.verified(store, tenant=tenant).faults]


def _all_rows(connection: Connection) -> Sequence[Sequence[object]]:
    columns = [audit_events.c[name] for name in COLUMNS]
    found = connection.execute(select(*columns).order_by(*columns[:2]))
    return [tuple(row) for row in found]


# ---- how it is done ----


def _search(pattern: str, told: str) -> bool:
    return re.search(pattern, told) is not None


def _execute(connection: Connection, statement: str) -> None:
    assert connection.execute(text(statement)).rowcount >= 1


def _rewrite_until(connection: Connection, number: int) -> None:
    kept = [row for row in chains.rows(connection) if row.number > number]
    rewrite(connection, actor="mallory")
    for row in kept:
        change(row.number, actor=row.actor, previous=row.previous, hash=row.hash)(connection)
    set_head(5)(connection)


def _say_why(store: Store) -> None:
    event = AuditEvent(
        tenant="acme", at=NOW, actor="a", action="b", run_id=None, detail={}, reason="lunch"
    )
    store.write_blocking(lambda connection: audit.append(connection, event))
    assert chains.verified(store).faults == []


def _cut(store: Store, number: int, *, right: bool) -> None:
    chains.tell(store, "a", "b", "c")
    last = store.read_blocking(chains.rows)[number - 1].hash
    detail = {"up_to": number, "hash": last if right else "0" * 64}
    event = AuditEvent(
        tenant="acme", at=NOW, actor="system", action=CUT, run_id=None, detail=detail
    )
    store.write_blocking(lambda connection: audit.append(connection, event))


def _delete_effect(connection: Connection, key: str) -> None:
    connection.execute(text("DELETE FROM effect_reports WHERE effect_key = :key"), {"key": key})
    connection.execute(text("DELETE FROM effects WHERE key = :key"), {"key": key})


def _delete_gates(connection: Connection) -> None:
    connection.execute(text("DELETE FROM notices"))
    _execute(connection, "DELETE FROM gates")


def _copy(connection: Connection, table: str, **values: object) -> None:
    found = connection.execute(select(metadata.tables[table])).mappings().first()
    assert found is not None
    connection.execute(metadata.tables[table].insert().values({**found, **values}))


def _vote(connection: Connection) -> None:
    vote = {"gate_id": "f" * 32, "seat": "m", "person": "mallory", "kind": "approve"}
    connection.execute(gate_votes.insert().values({**vote, "channel": "cli", "at": NOW}))
