"""What is older than it is to be kept is taken away, in portions, and nothing else."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from penstock.checkpoints import Store, audit, erasure
from penstock.checkpoints.gates import notices
from penstock.checkpoints.schema import notices as stored_notices
from penstock.checkpoints.schema import used_links
from penstock.contracts.audit import AuditEvent
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import InvalidLink
from penstock.contracts.gate import Gate
from penstock.contracts.run import RunStatus
from penstock.runs import retention
from penstock.runs.notifications import LINK_LIFE
from penstock.runs.retention import NOTICE_LIFE, Retention, RetentionService, find_expired
from support import chains
from support.approvals import open_approval, reject
from support.ledgers import Book
from support.runs import NOW, Runs
from support.services import WORKER, serving

DAY = timedelta(days=1)


class FixedClock:
    """A clock that a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def keeper(
    store: Store, *, after: timedelta, runs: timedelta | None = None, audit: timedelta = 999 * DAY
) -> RetentionService:
    retention = Retention(runs=runs, audit=audit)
    return RetentionService(store, retention, FixedClock(NOW + after))


async def test_a_run_that_was_over_for_long_enough_is_forgotten(store: Store) -> None:
    chains.live_through(store)
    assert await keeper(store, after=30 * DAY, runs=30 * DAY).delete_old(WORKER) == 0
    assert Book.of(store).get("paid").arguments != "{}"
    # The run, and the notice of its gate.
    assert await keeper(store, after=31 * DAY, runs=30 * DAY).delete_old(WORKER) == 2
    assert Book.of(store).get("paid").arguments == "{}"
    assert await keeper(store, after=32 * DAY, runs=30 * DAY).delete_old(WORKER) == 0
    assert chains.differences(store) == []


async def test_what_a_look_has_passed_over_is_found_within_an_hour(store: Store) -> None:
    runs, clock = Runs(store), FixedClock(NOW + 31 * DAY)
    keep = RetentionService(store, Retention(runs=30 * DAY, audit=999 * DAY), clock)
    assert await keep.delete_old(WORKER) == 0
    runs.move(runs.start("t"), RunStatus.SUCCEEDED)
    assert await keep.delete_old(WORKER) == 0
    clock.at += timedelta(hours=1)
    assert await keep.delete_old(WORKER) == 1


async def test_each_look_goes_on_where_the_last_one_ended(store: Store) -> None:
    runs, clock = Runs(store), FixedClock(NOW + 30 * DAY - timedelta(minutes=1))
    keep = RetentionService(store, Retention(runs=30 * DAY, audit=999 * DAY), clock)
    runs.move(runs.start("t"), RunStatus.SUCCEEDED)
    assert await keep.delete_old(WORKER) == 0
    clock.at += timedelta(minutes=2)
    assert await keep.delete_old(WORKER) == 1


def test_an_index_leads_to_runs_that_are_due(store: Store) -> None:
    def explain(connection: Connection) -> str:
        told: list[tuple[str, Any]] = []

        @event.listens_for(connection, "before_cursor_execute")
        def take(_c: Any, _cursor: Any, statement: str, params: Any, *_: Any) -> None:
            told.append((statement, params))

        erasure.due(connection, before=NOW, since=NOW - DAY, limit=20)
        event.remove(connection, "before_cursor_execute", take)
        statement, params = told[0]
        if connection.dialect.name == "sqlite":
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", params)
            return "\n".join(row.detail for row in found)
        # A table that is empty is read whole, unless it must not be.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        found = connection.exec_driver_sql(f"EXPLAIN {statement}", params)
        return "\n".join(row[0] for row in found)

    plan = store.read_blocking(explain)
    assert "SCAN runs" not in plan
    assert re.search(
        r"ix_runs_status \(status=\? AND changed_at>\? AND changed_at<\?\)"
        r"|(on|using) ix_runs_status[\s\S]*?Index Cond: .*changed_at <",
        plan,
    ), plan


async def test_a_run_that_is_not_over_is_kept(store: Store) -> None:
    Runs(store).start("t")
    assert await keeper(store, after=400 * DAY, runs=DAY).delete_old(WORKER) == 0


async def test_old_events_are_taken_away_in_portions_and_the_chain_still_holds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVENT_LIMIT", 2)
    chains.live_through(store)
    keep = keeper(store, after=200 * DAY, audit=199 * DAY)
    # Two events, and the notice of its gate.
    assert await keep.delete_old(WORKER) == 3
    found = chains.verified(store)
    assert (found.faults, found.cut_number) == ([], 2)
    while await keep.delete_old(WORKER):
        pass
    rows = store.read_blocking(chains.rows)
    assert {row.action for row in rows} == {"audit.cut"}
    found = chains.verified(store)
    assert (found.faults, found.number, found.cut_number) == ([], rows[-1].number, 10)
    assert chains.differences(store) == []
    chains.tell(store, "after")
    assert chains.verified(store).number == rows[-1].number + 1


async def test_events_that_are_young_stay(store: Store) -> None:
    chains.tell(store, "a", "b")

    def move_on(connection: Connection) -> None:
        told = AuditEvent(
            tenant="acme", at=NOW + 9 * DAY, actor="a", action="c", run_id=None, detail={}
        )
        for _ in range(3):
            audit.append(connection, told)

    store.write_blocking(move_on)
    assert await keeper(store, after=9 * DAY, audit=5 * DAY).delete_old(WORKER) == 2
    assert [row.number for row in store.read_blocking(chains.rows)] == [3, 4, 5, 6]


async def test_the_last_event_of_a_chain_stays(store: Store) -> None:
    chains.tell(store, "a")
    assert await keeper(store, after=999 * DAY, audit=DAY).delete_old(WORKER) == 0


async def test_what_is_old_is_counted_and_left(store: Store) -> None:
    chains.live_through(store)
    retention = Retention(runs=DAY, audit=2 * DAY)
    old = store.read_blocking(lambda tx: find_expired(tx, retention, at=NOW + 3 * DAY))
    assert (old.run_count, dict(old.events)) == (1, {"acme": 10})
    assert len(store.read_blocking(chains.rows)) == 10


async def test_trouble_with_retention_ends_no_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(*_: object, **__: object) -> None:
        loop.call_soon_threadsafe(asked.set)
        raise LookupError("broken")

    monkeypatch.setattr(retention.erasure, "due", fail)
    async with serving(keeper(store, after=DAY, runs=DAY)):
        await asked.wait()
    assert "retention failed, and will be tried again" in caplog.text


class Room:
    """A store with people at gates, whose times are the database's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs = Runs(store)
        self._now = SystemClock().now()
        self._count = 0

    def open(self, *, expires_s: float = 3600.0) -> Gate:
        """Open a gate, send its notice, and have the link in it be followed."""
        self._count += 1
        fence = self._runs.start(f"thread-{self._count}")
        gate = open_approval(self._store, fence, number=self._count, expires_s=expires_s)

        def tell(connection: Connection) -> None:
            for notice in notices.take(connection, limit=10):
                notices.record_sent(connection, notice, outcome="sent")
            notices.use_link(
                connection, gate.id, gate_id=gate.id, until=self._now + DAY, person="eve"
            )

        self._store.write_blocking(tell)
        return gate

    def close(self, *, expires_s: float = 3600.0) -> Gate:
        """Have the same done at a gate that is closed then."""
        gate = self.open(expires_s=expires_s)
        reject(self._store, gate, at=self._now)
        return gate

    def keeper(self, *, after: timedelta, runs: timedelta | None = None) -> RetentionService:
        clock = FixedClock(self._now + after)
        return RetentionService(self._store, Retention(runs=runs, audit=999 * DAY), clock)

    def left(self) -> tuple[set[str], set[str]]:
        """Return the gates of which there are notices, and used links."""

        def look(connection: Connection) -> tuple[set[str], set[str]]:
            of_notices, of_links = (
                set(connection.execute(select(table.c.gate_id)).scalars())
                for table in (stored_notices, used_links)
            )
            return of_notices, of_links

        return self._store.read_blocking(look)


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store)


@pytest.mark.parametrize(
    ("runs", "kept"), [(None, 29), (7 * DAY, 29), (90 * DAY, 89)], ids=["never", "week", "quarter"]
)
async def test_notices_and_links_are_kept_as_long_as_runs_and_a_month_at_least(
    room: Room, runs: timedelta | None, kept: int
) -> None:
    gate = room.close()
    assert await room.keeper(after=kept * DAY, runs=runs).delete_old(WORKER) == 0
    assert room.left() == ({gate.id}, {gate.id})
    assert await room.keeper(after=(kept + 2) * DAY, runs=runs).delete_old(WORKER) == 3
    assert room.left() == (set(), set())


async def test_notices_of_a_gate_that_is_open_stay(room: Room) -> None:
    room.close()
    gate = room.open()
    await room.keeper(after=40 * DAY).delete_old(WORKER)
    assert room.left()[0] == {gate.id}


async def test_notices_that_nobody_has_sent_go_with_the_others(store: Store, room: Room) -> None:
    gate = open_approval(store, Runs(store).start("t"))
    reject(store, gate)
    assert room.left()[0] == {gate.id}
    await room.keeper(after=40 * DAY).delete_old(WORKER)
    assert room.left()[0] == set()


async def test_a_used_link_that_may_still_be_good_leads_nobody_else_there(
    store: Store, room: Room
) -> None:
    gate = room.close(expires_s=60 * 86400.0)
    await room.keeper(after=40 * DAY).delete_old(WORKER)
    assert room.left() == (set(), {gate.id})
    with pytest.raises(InvalidLink, match="somebody else"):
        store.write_blocking(
            lambda tx: notices.use_link(
                tx, gate.id, gate_id=gate.id, until=SystemClock().now() + DAY, person="mallory"
            )
        )
    await room.keeper(after=92 * DAY).delete_old(WORKER)
    assert room.left() == (set(), set())


def test_a_link_is_no_longer_good_than_it_is_remembered() -> None:
    assert LINK_LIFE < NOTICE_LIFE


async def test_notices_and_links_go_in_portions_and_are_looked_for_once_an_hour(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "NOTICE_LIMIT", 2)
    for _ in range(3):
        room.close(expires_s=60.0)
    keep = room.keeper(after=40 * DAY)
    assert [await keep.delete_old(WORKER) for _ in range(3)] == [4, 2, 0]
    room.close(expires_s=60.0)
    assert await keep.delete_old(WORKER) == 0
