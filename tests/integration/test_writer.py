"""The writer commits many changes together and answers each for itself."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from penstock.checkpoints import Store, writer
from penstock.checkpoints.schema import policy_activations
from penstock.checkpoints.statements import raw
from penstock.checkpoints.writer import BATCH_LIMIT
from penstock.contracts.errors import StoreBroken, StoreBusy, WriterStopped
from penstock.contracts.signals import LeaseLost
from support.databases import DISK
from support.faults import CommitFails, Held
from support.postgres import PostgresCluster, find_postgres
from support.runs import NOW


def add(action: str) -> Callable[[Connection], str]:
    """Return a change that writes one row and gives back its name."""

    def change(connection: Connection) -> str:
        row = {"graph": action, "number": 1, "at": NOW, "by": "a"}
        connection.execute(insert(policy_activations).values(row))
        return action

    return change


def fail_after(action: str, error: BaseException) -> Callable[[Connection], None]:
    """Return a change that writes one row and raises."""

    def change(connection: Connection) -> None:
        add(action)(connection)
        raise error

    return change


def found(connection: Connection) -> list[str]:
    """Return what was written, in order: a query."""
    statement = select(policy_activations.c.graph).order_by(policy_activations.c.id)
    return list(connection.execute(statement).scalars())


def actions(store: Store) -> list[str]:
    """Return what was written, in order."""
    return store.read_blocking(found)


def _ask_nowhere(connection: Connection) -> None:
    connection.execute(text("SELECT 1 FROM nowhere"))


async def test_what_is_acknowledged_is_stored_and_gives_its_result(store: Store) -> None:
    assert await store.write(add("one")) == "one"
    assert store.write_blocking(add("two")) == "two"
    assert store.post(add("three")).result() == "three"
    assert actions(store) == ["one", "two", "three"]


async def test_changes_that_gather_share_one_commit(store: Store) -> None:
    held = Held(store)
    before = store.commit_count
    writes = asyncio.gather(*(store.write(add(str(number))) for number in range(50)))
    await asyncio.sleep(0)
    held.let_go()
    await writes
    # One for what held the writer up, and one for all of these.
    assert store.commit_count - before == 2
    assert actions(store) == [str(number) for number in range(50)]


async def test_a_batch_is_bounded(store: Store) -> None:
    held = Held(store)
    before = store.commit_count
    writes = [store.post(lambda _: None) for _ in range(BATCH_LIMIT + 1)]
    held.let_go()
    for write in writes:
        write.result()
    assert store.commit_count - before == 3


@pytest.mark.parametrize("error", [ValueError("no"), LeaseLost("gone"), KeyboardInterrupt()])
def test_a_change_that_raises_fails_alone_and_is_undone(store: Store, error: BaseException) -> None:
    held = Held(store)
    first, broken, last = (
        store.post(add("first")),
        store.post(fail_after("broken", error)),
        store.post(add("last")),
    )
    held.let_go()
    assert first.result() == "first"
    assert last.result() == "last"
    with pytest.raises(type(error)):
        broken.result()
    assert actions(store) == ["first", "last"]


def test_a_statement_the_database_refuses_fails_alone(store: Store) -> None:
    held = Held(store)
    first = store.post(add("first"))
    broken = store.post(_ask_nowhere)
    last = store.post(add("last"))
    held.let_go()
    assert (first.result(), last.result()) == ("first", "last")
    with pytest.raises(Exception, match="nowhere"):
        broken.result()
    assert actions(store) == ["first", "last"]


def test_a_failed_commit_fails_everybody_in_it_and_nobody_after_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CommitFails(monkeypatch, store):
        held = Held(store)
        lost: list[Future[Any]] = [store.post(add("one")), store.post(fail_after("two", OSError()))]
        held.let_go()
        for future in lost:
            with pytest.raises(StoreBroken, match="nothing of this was acknowledged"):
                future.result()
    assert store.write_blocking(add("after")) == "after"
    assert actions(store) == ["after"]


def test_who_asked_is_told_of_a_failure_before_any_later_change_runs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def note(error: BaseException) -> None:
        told.append(type(error).__name__)

    held = Held(store)
    store.post(fail_after("x", ValueError()), on_failure=note)
    seen = store.post(lambda _: list(told))
    held.let_go()
    assert seen.result() == ["ValueError"]
    with CommitFails(monkeypatch, store):
        store.post(add("y"), on_failure=note).exception()
    assert store.post(lambda _: list(told)).result() == ["ValueError", "StoreBroken"]


async def test_a_cancelled_caller_does_not_take_its_change_back(store: Store) -> None:
    held = Held(store)
    writing = asyncio.create_task(store.write(add("kept")))
    await asyncio.sleep(0)
    writing.cancel()
    held.let_go()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await store.write(add("next"))
    assert actions(store) == ["kept", "next"]


def test_an_event_loop_that_is_gone_does_not_hurt_the_writer(store: Store) -> None:
    held = Held(store)
    loop = asyncio.new_event_loop()
    writing = loop.create_task(store.write(add("kept")))
    loop.run_until_complete(asyncio.sleep(0))
    writing.cancel()
    loop.run_until_complete(asyncio.gather(writing, return_exceptions=True))
    loop.close()
    held.let_go()
    assert store.write_blocking(add("next")) == "next"
    assert actions(store) == ["kept", "next"]


def test_closing_finishes_what_was_handed_in(database_url: str) -> None:
    store = Store.open(database_url)
    futures = [store.post(add(str(number))) for number in range(20)]
    store.close()
    assert [future.result() for future in futures] == [str(number) for number in range(20)]
    with Store.open(database_url) as again:
        assert len(actions(again)) == 20


def test_a_closed_store_refuses_writes_and_says_so(database_url: str) -> None:
    store = Store.open(database_url)
    store.close()
    with pytest.raises(WriterStopped, match="it was closed"):
        store.write_blocking(add("late"))
    store.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_fails_everybody_waiting_and_everybody_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(store)
    waiting = [store.post(add("one")), store.post(add("two"))]
    told: list[BaseException] = []
    waiting.append(store.post(add("three"), on_failure=told.append))

    answer = writer._deliver

    def die(_: object) -> None:
        monkeypatch.setattr(writer, "_deliver", answer)
        raise MemoryError("no more")

    monkeypatch.setattr(writer, "_deliver", die)
    held.let_go()
    for future in waiting:
        with pytest.raises(WriterStopped, match="died of MemoryError: no more"):
            future.result(timeout=90)
    assert isinstance(told[0], WriterStopped)
    with pytest.raises(WriterStopped, match="died of MemoryError"):
        store.write_blocking(add("late"))


def test_a_locked_database_fails_with_a_sentence_and_writes_nothing(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as other, Store.open(sqlite_url, busy_timeout_s=0.05) as store:
        held = Held(other)
        with pytest.raises(StoreBusy, match="locked by another process") as caught:
            store.write_blocking(add("late"))
        assert caught.value.retryable
        held.let_go()
        assert store.write_blocking(add("later")) == "later"
        assert actions(store) == ["later"]


def test_two_processes_write_in_turns(database_url: str) -> None:

    def count_up(connection: Connection) -> int:
        before = connection.execute(
            select(func.count()).select_from(policy_activations)
        ).scalar_one()
        add(str(before))(connection)
        return before

    with Store.open(database_url) as one, Store.open(database_url) as other:
        numbers = [store.post(count_up) for _ in range(50) for store in (one, other)]
        counted = [number.result() for number in numbers]
        assert len(actions(one)) == 100
        if one.dialect.name == "sqlite":
            # There a transaction that writes excludes every other from its beginning.
            assert sorted(counted) == list(range(100))


async def test_a_server_that_comes_back_is_worked_with_again() -> None:
    binaries = find_postgres()
    if binaries is None:
        pytest.skip("PostgreSQL's server programs were not found: install postgresql")
    cluster = PostgresCluster(binaries, folder=DISK, is_durable=True)
    cluster.start()
    try:
        url = cluster.create_database()
        with Store.open(url) as store:
            store.write_blocking(add("before"))
            assert actions(store) == await store.read(found) == ["before"]
            cluster.stop(mode="immediate")
            for attempt in (store.write_blocking, store.read_blocking):
                with pytest.raises(StoreBroken, match="check its disk or server"):
                    attempt(add("meanwhile"))
            with pytest.raises(StoreBroken, match="check its disk or server"):
                await store.read(found)
            cluster.start()
            store.write_blocking(add("after"))
            assert actions(store) == await store.read(found) == ["before", "after"]
            # Nobody notices a server that was away while nothing was asked of it.
            cluster.stop(mode="immediate")
            cluster.start()
            assert await store.read(found) == ["before", "after"]
            store.write_blocking(add("later"))
            assert actions(store) == ["before", "after", "later"]
    finally:
        cluster.stop(mode="immediate")
        cluster.remove()


async def test_reads_that_are_awaited_keep_their_connection(store: Store) -> None:
    first = await store.read(raw)
    assert await store.read(raw) is first


async def test_a_query_that_raises_spoils_no_later_one(store: Store) -> None:
    def fail(connection: Connection) -> None:
        found(connection)
        raise LookupError("not this one")

    for query, error in ((fail, LookupError), (_ask_nowhere, DBAPIError)):
        with pytest.raises(error):
            await store.read(query)
        store.write_blocking(add(error.__name__))
        assert (await store.read(found))[-1] == error.__name__


async def test_a_read_on_postgresql_cannot_write(postgresql_url: str) -> None:
    with Store.open(postgresql_url) as store:
        with pytest.raises(DBAPIError, match="read-only"):
            await store.read(add("sneaked in"))
        assert actions(store) == []


def test_readers_do_not_wait_for_the_writer(store: Store) -> None:
    held = Held(store)
    count = select(func.count()).select_from(policy_activations)
    assert store.read_blocking(lambda connection: connection.execute(count).scalar()) == 0
    held.let_go()


async def test_a_read_sees_one_state_however_much_is_written_beside_it(store: Store) -> None:
    count = select(func.count()).select_from(policy_activations)

    def twice(connection: Connection) -> tuple[int, int]:
        first = connection.execute(count).scalar_one()
        store.write_blocking(add("between"))
        return first, connection.execute(count).scalar_one()

    assert await store.read(twice) == (0, 0)
    assert await store.read(lambda connection: connection.execute(count).scalar()) == 1
