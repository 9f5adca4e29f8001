"""What is older than it is to be kept is taken away, in portions, and nothing else."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from penstock.checkpoints import Store, audit
from penstock.contracts.audit import AuditEvent
from penstock.contracts.ids import WorkerId
from penstock.runs import keeping
from penstock.runs.keeping import Keeper, Retention, find_old
from support import chains
from support.ledgers import Book
from support.runs import NOW, Runs

DAY = timedelta(days=1)


class FixedClock:
    """A clock that a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def keeper(
    store: Store, *, after: timedelta, runs: timedelta | None = None, audit: timedelta = 999 * DAY
) -> Keeper:
    retention = Retention(runs=runs, audit=audit)
    return Keeper(store, retention, FixedClock(NOW + after), WorkerId("keeper"))


async def test_a_run_that_was_over_for_long_enough_is_forgotten(store: Store) -> None:
    chains.live_through(store)
    assert await keeper(store, after=30 * DAY, runs=30 * DAY).keep_once() == 0
    assert Book.of(store).get("paid").arguments != "{}"
    assert await keeper(store, after=31 * DAY, runs=30 * DAY).keep_once() == 1
    assert Book.of(store).get("paid").arguments == "{}"
    assert await keeper(store, after=32 * DAY, runs=30 * DAY).keep_once() == 0
    assert chains.differences(store) == []


async def test_a_run_that_is_not_over_is_kept(store: Store) -> None:
    Runs(store).start("t")
    assert await keeper(store, after=400 * DAY, runs=DAY).keep_once() == 0


async def test_old_events_are_taken_away_in_portions_and_the_chain_still_holds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "EVENT_LIMIT", 2)
    chains.live_through(store)
    keep = keeper(store, after=200 * DAY, audit=199 * DAY)
    assert await keep.keep_once() == 2
    found = chains.verified(store)
    assert (found.faults, found.cut_number) == ([], 2)
    while await keep.keep_once():
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
        event = AuditEvent(
            tenant="acme", at=NOW + 9 * DAY, actor="a", action="c", run_id=None, detail={}
        )
        for _ in range(3):
            audit.append(connection, event)

    store.write_blocking(move_on)
    assert await keeper(store, after=9 * DAY, audit=5 * DAY).keep_once() == 2
    assert [row.number for row in store.read_blocking(chains.rows)] == [3, 4, 5, 6]


async def test_the_last_event_of_a_chain_stays(store: Store) -> None:
    chains.tell(store, "a")
    assert await keeper(store, after=999 * DAY, audit=DAY).keep_once() == 0


async def test_what_is_old_is_counted_and_left(store: Store) -> None:
    chains.live_through(store)
    retention = Retention(runs=DAY, audit=2 * DAY)
    old = store.read_blocking(lambda tx: find_old(tx, retention, at=NOW + 3 * DAY))
    assert (old.run_count, dict(old.events)) == (1, {"acme": 10})
    assert len(store.read_blocking(chains.rows)) == 10


async def test_trouble_with_retention_ends_no_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        keep.stop()
        raise LookupError("broken")

    keep = keeper(store, after=DAY, runs=DAY)
    monkeypatch.setattr(keeping.forgetting, "due", fail)
    await keep.work(every_s=60.0)
    assert "what is old could not be taken away" in caplog.text
