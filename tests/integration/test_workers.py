"""Workers as they show themselves, and drain when they are asked to."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.types import interrupt
from sqlalchemy import Connection, text, update

from penstock.checkpoints import Store, audit, leases, runs, workers
from penstock.checkpoints.schema import workers as table
from penstock.checkpoints.statements import database_now
from penstock.contracts.errors import NotAllowed, UnknownWorker
from penstock.contracts.ids import WorkerId
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import FailureCode, Run, RunStatus
from penstock.contracts.worker import KnownWorker, NewWorker, WorkerState
from penstock.graphs import Catalog
from penstock.policies import Directory
from penstock.runs import Fleet, Worker
from support.allowing import OPEN
from support.runs import NOW, Runs, lose
from support.shops import QUICK, Shop, chain_of

SOON_S = 60.0
"""Far less than anything here may take, and far more than a busy machine needs."""

LASTING = replace(QUICK, lease_s=600.0)
"""No lease runs out in the time of a test."""

ME = NewWorker(
    id=WorkerId("host-7-a"),
    host="host",
    pid=7,
    version="1",
    graphs=[("one", "f1")],
    slot_count=8,
    beat_s=1.0,
    lease_s=5.0,
)

PEOPLE = """
[users.ada]
roles = ["clerk"]
[users.olga]
groups = ["operators"]
[users.alma]
groups = ["admins"]
[users.vera]
[users.abe]
tenant = "other"
groups = ["operators", "admins"]
"""


class State(TypedDict, total=False):
    said: str


class Held:
    """A node that goes on when it is told to."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.go_on = asyncio.Event()

    def node(self) -> Callable[[State], Any]:
        async def hold(state: State) -> State:
            self.entered.append(state.get("said", ""))
            await self.go_on.wait()
            return {"said": "done"}

        return hold


async def ask(_: State) -> State:
    """Ask."""
    return {"said": str(interrupt("may I?"))}


async def until(is_so: Callable[[], bool]) -> None:
    """Come back when something is so."""
    async with asyncio.timeout(SOON_S):
        while not is_so():  # noqa: ASYNC110  (the store, or a graph, tells)
            await asyncio.sleep(0.02)


def begun(shop: Shop) -> tuple[Worker, "asyncio.Task[None]"]:
    """Have a worker work whose leases last."""
    catalog = Catalog.of(shop.graph)
    pace = replace(LASTING, beat_s=0.2)
    worker = Worker(shop.store, shop.saver, catalog, engine=shop.engine, pace=pace, policy=OPEN)
    return worker, asyncio.create_task(worker.work())


def known(store: Store) -> list[KnownWorker]:
    return list(Fleet(store).workers())


def show(store: Store, worker: NewWorker = ME) -> str | None:
    return store.write_blocking(lambda tx: workers.check_in(tx, worker))


def silent(store: Store, seconds: float) -> None:
    """Have no worker have been heard of for so long."""

    def change(connection: Connection) -> None:
        then = database_now(connection.dialect, plus_s=-seconds)
        connection.execute(update(table).values(seen_at=then))

    store.write_blocking(change)


# ---- what is seen of a worker ----


async def test_worker_shows_itself_when_it_begins_and_when_it_ends(store: Store) -> None:
    graph = chain_of(State, ask)
    shop = Shop(store, graph)
    async with shop.worker() as worker:
        await until(lambda: bool(known(store)))
        (found,) = known(store)
        assert found.id == worker.id
        assert found.graphs == [(graph.name, str(graph.fingerprint))]
        assert (found.slot_count, found.lease_s) == (QUICK.slots, QUICK.lease_s)
        assert found.state in {WorkerState.ALIVE, WorkerState.LATE}
        begun = found.seen_at
        await until(lambda: known(store)[0].seen_at > begun)
    await until(lambda: known(store)[0].state is WorkerState.ENDED)


async def test_worker_shows_itself_in_the_commit_of_its_beat(store: Store) -> None:
    show(store)
    commits = store.commit_count
    shown = store.post(lambda tx: workers.check_in(tx, ME))
    store.write_blocking(lambda tx: leases.beat(tx, ME.id, [], lease_s=5.0))
    assert shown.done()
    assert store.commit_count == commits + 1


async def test_worker_that_cannot_show_itself_works_all_the_same(store: Store) -> None:
    store.write_blocking(lambda tx: tx.execute(text("DROP TABLE workers")))
    held = Held()
    shop = Shop(store, chain_of(State, held.node()))
    run = await shop.runtime.start("chain", {}, actor="ann")
    worker, working = begun(shop)
    await until(lambda: bool(held.entered) or working.done())
    leases_seen: set[object] = set()
    async with asyncio.timeout(SOON_S):
        while len(leases_seen) < 4 and not working.done():
            leases_seen.add((await shop.runtime.get(run.id)).lease_expires_at)
            await asyncio.sleep(0.05)
    assert not working.done()
    held.go_on.set()
    assert (await shop.until(run, RunStatus.SUCCEEDED)).epoch == 1
    worker.drain()
    await working


def test_worker_that_was_purged_shows_itself_again(store: Store) -> None:
    show(store)
    store.write_blocking(lambda tx: tx.execute(table.delete()))
    show(store)
    assert [each.id for each in known(store)] == [ME.id]


def test_nobody_but_a_worker_itself_says_that_it_lives(store: Store, runs: Runs) -> None:
    show(store)
    show(store, replace(ME, id=WorkerId("host-8-b")))
    silent(store, 60.0)
    before = {each.id: each.seen_at for each in known(store)}
    fence = runs.start("thread-1")
    Fleet(store).drain(ME.id, by="olga", tenant="acme")
    store.write_blocking(lambda tx: leases.beat(tx, ME.id, [fence.run_id], lease_s=5.0))
    store.write_blocking(lambda tx: leases.sweep(tx, lost_limit=3, at=NOW, actor="worker"))
    store.write_blocking(lambda tx: workers.purge(tx, limit=10))
    show(store, replace(ME, id=WorkerId("host-8-b")))
    after = {each.id: each.seen_at for each in known(store)}
    assert after[ME.id] == before[ME.id]
    assert after[WorkerId("host-8-b")] > before[WorkerId("host-8-b")]
    assert {each.id: each.state for each in known(store)}[ME.id] is WorkerState.GONE


def test_worker_is_forgotten_a_day_after_it_was_last_heard_of(store: Store) -> None:
    show(store)
    silent(store, workers.KEPT_S - 600)
    assert store.write_blocking(lambda tx: workers.purge(tx, limit=10)) == 0
    silent(store, workers.KEPT_S + 600)
    assert store.write_blocking(lambda tx: workers.purge(tx, limit=10)) == 1
    assert known(store) == []


async def test_every_worker_forgets_those_that_are_long_gone(store: Store) -> None:
    show(store)
    silent(store, workers.KEPT_S + 600)
    async with Shop(store, chain_of(State, ask)).worker() as worker:
        await until(lambda: [each.id for each in known(store)] == [worker.id])


# ---- draining ----


async def test_worker_that_drains_ends_when_its_runs_have_ended_and_takes_nothing_more(
    store: Store,
) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node()))
    driven = await shop.runtime.start("chain", {}, actor="ann")
    worker, working = begun(shop)
    await until(lambda: bool(held.entered))
    Fleet(store).drain(worker.id, by="olga", tenant="default")
    await until(lambda: worker.is_draining)
    queued = await shop.runtime.start("chain", {}, actor="ann")
    assert known(store)[0].drain_by == "olga"
    assert not working.done()
    held.go_on.set()
    async with asyncio.timeout(SOON_S):
        await working
    assert (await shop.runtime.get(driven.id)).status is RunStatus.SUCCEEDED
    assert (await shop.runtime.get(driven.id)).epoch == 1
    left = await shop.runtime.get(queued.id)
    assert (left.status, left.epoch) == (RunStatus.QUEUED, 0)
    await until(lambda: known(store)[0].state is WorkerState.ENDED)
    assert (await shop.go_on(left)).status is RunStatus.SUCCEEDED


async def test_worker_that_drains_takes_nothing_more_though_it_has_room(store: Store) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node()))
    await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(LASTING) as worker:
        await until(lambda: bool(held.entered))
        assert worker.free_count == LASTING.slots - 1
        Fleet(store).drain(worker.id, by="olga", tenant="default")
        await until(lambda: worker.is_draining)
        assert worker.free_count == 0
        held.go_on.set()


async def test_worker_that_drains_parks_what_comes_to_a_gate(store: Store) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node(), ask))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(LASTING) as worker:
        await until(lambda: bool(held.entered))
        Fleet(store).drain(worker.id, by="olga", tenant="default")
        await until(lambda: worker.is_draining)
        held.go_on.set()
        assert (await shop.until(run, RunStatus.WAITING)).epoch == 1


async def test_worker_that_drains_gives_its_runs_back_at_a_signal(store: Store) -> None:
    held = Held()
    shop = Shop(store, chain_of(State, held.node()))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(LASTING) as worker:
        await until(lambda: bool(held.entered))
        Fleet(store).drain(worker.id, by="olga", tenant="default")
        await until(lambda: worker.is_draining)
    # The shop's worker was told to give back what it drives.
    assert (await shop.runtime.get(run.id)).status is RunStatus.QUEUED


async def test_drain_under_load_loses_no_run(store: Store) -> None:
    async def step(_: State) -> State:
        await asyncio.sleep(0.01)
        return {"said": "done"}

    shop = Shop(store, chain_of(State, step))
    queued = [await shop.runtime.start("chain", {}, actor="ann") for _ in range(40)]
    first, draining = begun(shop)
    other, working = begun(shop)
    await until(lambda: len(known(store)) == 2)
    Fleet(store).drain(first.id, by="olga", tenant="default")
    async with asyncio.timeout(SOON_S):
        await draining
        ended = [await shop.until(run, *RunStatus) for run in queued]
    assert {run.status for run in ended} == {RunStatus.SUCCEEDED}
    assert {(run.epoch, run.lost_count) for run in ended} == {(1, 0)}
    other.drain()
    await working


@pytest.fixture
def people(tmp_path: Path) -> Directory:
    file = tmp_path / "people.toml"
    file.write_text(PEOPLE)
    return Directory.load(file)


@pytest.mark.parametrize("person", ["ada", "vera", "abe", "nobody"])
def test_who_is_no_operator_has_no_worker_drain(
    store: Store, people: Directory, person: str
) -> None:
    show(store)
    with pytest.raises(NotAllowed, match="may not have workers drain"):
        Fleet(store, people=people).drain(ME.id, by=person, tenant="default")
    assert show(store) is None
    assert known(store)[0].drain_by is None


@pytest.mark.parametrize("person", ["olga", "alma"])
def test_operators_have_a_worker_drain_and_the_audit_tells_of_it(
    store: Store, people: Directory, person: str
) -> None:
    show(store)
    Fleet(store, people=people).drain(ME.id, by=person, tenant="default")
    assert show(store) == person
    (event,) = store.read_blocking(lambda tx: audit.last(tx, "default", limit=9))
    assert (event.action, event.actor) == ("worker.drain_asked", person)
    assert event.details["worker"] == ME.id


def test_second_request_to_drain_changes_nothing(store: Store) -> None:
    show(store)
    first = Fleet(store).drain(ME.id, by="olga", tenant="default")
    again = Fleet(store).drain(ME.id, by="alma", tenant="default")
    assert (again.drain_by, again.drain_at) == ("olga", first.drain_at)
    assert len(store.read_blocking(lambda tx: audit.last(tx, "default", limit=9))) == 1


def test_worker_that_has_ended_is_asked_nothing_and_one_that_is_unknown_is_said_to_be(
    store: Store,
) -> None:
    show(store)
    store.write_blocking(lambda tx: workers.end(tx, ME.id))
    assert Fleet(store).drain(ME.id, by="olga", tenant="default").drain_by is None
    with pytest.raises(UnknownWorker):
        Fleet(store).drain(WorkerId("nobody"), by="olga", tenant="default")
    assert store.read_blocking(lambda tx: audit.last(tx, "default", limit=9)) == []


# ---- what is seen of the queue ----


async def test_queue_is_told_by_form_of_graph_the_longest_waiting_first(store: Store) -> None:
    slow, quick = chain_of(State, ask, name="slow"), chain_of(State, ask, name="quick")
    shop, other = Shop(store, slow), Shop(store, quick)
    first = await shop.runtime.start("slow", {}, actor="ann")
    for _ in range(2):
        await other.runtime.start("quick", {}, actor="ann")
    paused = await other.runtime.start("quick", {}, actor="ann")
    await other.runtime.pause(paused.id, by="ann")
    found = await store.read(lambda tx: workers.waiting_by_version(tx, tenant="default"))
    assert [(each.graph, each.count) for each in found] == [("slow", 1), ("quick", 2)]
    assert found[0].oldest_at == first.changed_at
    assert await store.read(lambda tx: workers.waiting_by_version(tx, tenant="other")) == []


async def test_runs_of_lost_workers_are_told_with_who_was_lost(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask))
    run = await shop.runtime.start("chain", {}, actor="ann")
    await shop.runtime.start("chain", {}, actor="ann")
    lose(store, run.id)
    (found,) = await store.read(lambda tx: workers.lost_runs(tx, tenant="default", limit=9))
    assert (found.run_id, found.worker_id, found.by) == (run.id, "lost-1", "test")
    assert await store.read(lambda tx: workers.lost_runs(tx, tenant="other", limit=9)) == []


async def test_dead_letters_are_failed_runs_that_a_redrive_may_help(store: Store) -> None:
    async def fail(_: State) -> State:
        raise ValueError("the shop is closed")

    shop = Shop(store, chain_of(State, fail))
    run: Run = await shop.run()
    assert run.failure is not None
    assert run.failure.code is FailureCode.NODE_FAILED
    (found,) = await store.read(lambda tx: workers.dead_letters(tx, tenant="default", limit=9))
    assert found.id == run.id
    wanted = RunFilter(tenant="default", is_redrivable=True)
    await shop.runtime.start("chain", {}, actor="ann")
    (listed,) = await store.read(lambda tx: runs.page(tx, wanted, limit=9))
    assert listed.run.id == run.id
    assert (
        await store.read(lambda tx: workers.dead_letter_count(tx, tenant="default", limit=9)) == 1
    )
    assert await store.read(lambda tx: workers.dead_letters(tx, tenant="other", limit=9)) == []


def test_driven_runs_are_told_with_who_drives_them(store: Store) -> None:
    fence = Runs(store).start("thread-1")
    (found,) = store.read_blocking(lambda tx: workers.driven_runs(tx, limit=9))
    assert (found.id, found.worker_id) == (fence.run_id, "worker-1")
    store.write_blocking(lambda tx: runs.move(tx, fence, RunStatus.SUCCEEDED, at=NOW, actor="test"))
    assert store.read_blocking(lambda tx: workers.driven_runs(tx, limit=9)) == []
