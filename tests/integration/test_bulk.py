"""Many runs at once: what would be done is said first, and done to exactly what was seen."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import pytest

from penstock.checkpoints import Checkpointer, Store
from penstock.checkpoints import runs as run_rows
from penstock.contracts.bulk import BulkAction, BulkOutcome, BulkPlan, BulkResult, Exclusion
from penstock.contracts.errors import RunStale
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import Failure, FailureCode, Fence, Run, RunStatus
from penstock.graphs import Catalog
from penstock.policies import Directory
from penstock.runs import Bulk, Runtime
from penstock.runs import bulk as bulk_module
from support.ledgers import Book, new_effect
from support.runs import NOW, Runs
from support.shops import Shop, chain_of

PEOPLE = """
[users.ada]
roles = ["clerk"]
[users.olga]
groups = ["operators"]
[users.vera]
"""
EVERY = RunFilter(tenant="default")


class State(TypedDict, total=False):
    said: str


async def idle(_: State) -> State:
    return {}


class Desk:
    """A store with people, and what acts on many of its runs."""

    def __init__(self, store: Store, people: Directory) -> None:
        self.store = store
        self.runs = Runs(store)
        catalog = Catalog.of(chain_of(State, idle))
        self.runtime = Runtime(store, Checkpointer(store), catalog, people=people)
        self.bulk = Bulk(store, self.runtime, people=people)

    async def start(self, actor: str = "ada") -> Run:
        return await self.runtime.start("chain", {}, actor=actor)

    async def fail(self, run: Run, *, redrivable: bool = True) -> Fence:
        fence = self.runs.claim(run.fence)
        failure = Failure(code=FailureCode.NODE_FAILED, message="broken", redrivable=redrivable)
        await self.store.write(
            lambda tx: run_rows.move(
                tx, fence, RunStatus.FAILED, at=NOW, actor="test", failure=failure
            )
        )
        return fence

    async def plan(
        self, deed: BulkAction, by: str = "olga", *, ids: Collection[RunId] | None = None
    ) -> BulkPlan:
        return await self.bulk.plan(deed, EVERY, by=by, ids=ids)

    async def carry_out(self, plan: BulkPlan, by: str = "olga") -> Sequence[BulkResult]:
        return await self.bulk.carry_out(plan.action, plan.targets, by=by, reason="a test")

    async def status(self, run: Run) -> RunStatus:
        return (await self.runtime.get(run.id)).status


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    file = tmp_path / "people.toml"
    file.write_text(PEOPLE)
    return Desk(store, Directory.load(file))


def ids(plan: BulkPlan) -> list[RunId]:
    return [seen.id for seen in plan.targets]


def why(plan: BulkPlan) -> dict[RunId, Exclusion]:
    return {seen.id: reason for seen, reason in plan.left_out}


def outcomes(ends: Sequence[BulkResult]) -> dict[RunId, BulkOutcome]:
    return {end.seen.id: end.outcome for end in ends}


async def test_a_plan_says_what_would_be_done_and_changes_nothing(desk: Desk) -> None:
    queued, failed, dead = [await desk.start() for _ in range(3)]
    await desk.fail(failed)
    await desk.fail(dead, redrivable=False)
    to_cancel, to_redrive = await desk.plan(BulkAction.CANCEL), await desk.plan(BulkAction.REDRIVE)
    assert (ids(to_cancel), to_cancel.over) == ([queued.id], {RunStatus.FAILED: 2})
    assert (ids(to_redrive), why(to_redrive)) == ([failed.id], {dead.id: Exclusion.FOR_GOOD})
    assert to_redrive.over == {RunStatus.QUEUED: 1}
    assert not to_cancel.has_more
    assert [await desk.status(run) for run in (queued, failed, dead)] == [
        RunStatus.QUEUED,
        RunStatus.FAILED,
        RunStatus.FAILED,
    ]


async def test_runs_that_were_picked_are_told_of_one_by_one(desk: Desk) -> None:
    queued, failed, other = [await desk.start() for _ in range(3)]
    await desk.fail(failed)
    plan = await desk.plan(BulkAction.CANCEL, ids=[queued.id, failed.id])
    assert (ids(plan), why(plan), plan.over) == ([queued.id], {failed.id: Exclusion.OVER}, {})
    plan = await desk.plan(BulkAction.REDRIVE, ids=[queued.id, failed.id])
    assert (ids(plan), why(plan)) == ([failed.id], {queued.id: Exclusion.NOT_FAILED})
    await desk.carry_out(plan)
    assert await desk.status(other) is RunStatus.QUEUED


async def test_the_runs_of_others_are_left_out_for_who_is_no_operator(desk: Desk) -> None:
    own, others = await desk.start("ada"), await desk.start("olga")
    plan = await desk.plan(BulkAction.CANCEL, by="ada")
    assert (ids(plan), why(plan)) == ([own.id], {others.id: Exclusion.NOT_YOURS})
    await desk.fail(own)
    plan = await desk.plan(BulkAction.REDRIVE, by="ada")
    assert (ids(plan), why(plan)) == ([], {own.id: Exclusion.NOT_YOURS})


async def test_who_looks_only_does_nothing_with_what_an_operator_saw(desk: Desk) -> None:
    run, failed = await desk.start(), await desk.start()
    await desk.fail(failed)
    for deed in BulkAction:
        plan = await desk.plan(deed)
        ends = await desk.carry_out(plan, by="vera")
        assert [end.outcome for end in ends] == [BulkOutcome.SKIPPED]
        assert "may not steer" in ends[0].why
    assert await desk.status(run) is RunStatus.QUEUED
    assert await desk.status(failed) is RunStatus.FAILED


async def test_a_run_with_a_call_in_doubt_is_redriven_alone_only(desk: Desk) -> None:
    run = await desk.start()
    fence = desk.runs.claim(run.fence)
    book, new = Book.of(desk.store), replace(new_effect(fence), tenant="default")
    effect = book.begun(new, fence)
    failure = Failure(code=FailureCode.NODE_FAILED, message="broken", redrivable=True)
    await desk.store.write(
        lambda tx: run_rows.move(tx, fence, RunStatus.FAILED, at=NOW, actor="test", failure=failure)
    )
    before = await desk.plan(BulkAction.REDRIVE)
    book.doubt(effect, new)
    after = await desk.plan(BulkAction.REDRIVE)
    assert (ids(before), ids(after), why(after)) == ([run.id], [], {run.id: Exclusion.IN_DOUBT})
    ends = await desk.carry_out(before)
    assert outcomes(ends) == {run.id: BulkOutcome.SKIPPED}
    assert "nobody has said yet" in ends[0].why
    assert (await desk.runtime.redrive(run.id, by="olga")).status is RunStatus.QUEUED


async def test_what_changed_since_it_was_seen_is_left_as_it_is(desk: Desk) -> None:
    same, claimed, ended = [await desk.start() for _ in range(3)]
    plan = await desk.plan(BulkAction.CANCEL)
    desk.runs.claim(claimed.fence)
    await desk.runtime.cancel(ended.id, by="olga")
    new = await desk.start()
    ends = await desk.carry_out(plan)
    assert outcomes(ends) == {
        same.id: BulkOutcome.APPLIED,
        claimed.id: BulkOutcome.STALE,
        ended.id: BulkOutcome.STALE,
    }
    assert "it is running now" in next(end.why for end in ends if end.seen.id == claimed.id)
    assert [await desk.status(run) for run in (same, claimed, new)] == [
        RunStatus.CANCELLED,
        RunStatus.RUNNING,
        RunStatus.QUEUED,
    ]
    assert (await desk.runtime.get(same.id)).cancel_reason == "a test"


async def test_a_run_that_went_round_and_looks_the_same_has_changed(desk: Desk) -> None:
    run = await desk.start()
    plan = await desk.plan(BulkAction.CANCEL)
    fence = desk.runs.claim(run.fence)
    desk.runs.move(fence, RunStatus.QUEUED)
    assert outcomes(await desk.carry_out(plan)) == {run.id: BulkOutcome.STALE}
    (seen,) = (await desk.plan(BulkAction.CANCEL)).targets
    with pytest.raises(RunStale, match="has changed since"):
        await desk.runtime.cancel(run.id, by="olga", seen=replace(seen, epoch=seen.epoch + 1))


@pytest.mark.parametrize("deed", BulkAction)
async def test_two_windows_move_each_run_once(desk: Desk, deed: BulkAction) -> None:
    for _ in range(60):
        run = await desk.start()
        if deed is BulkAction.REDRIVE:
            await desk.fail(run)
    driven = await desk.start()
    desk.runs.claim(driven.fence)
    plan = await desk.plan(deed)
    both = await asyncio.gather(desk.carry_out(plan), desk.carry_out(plan))
    told = Counter(end.outcome for ends in both for end in ends)
    count = len(plan.targets)
    assert told == {BulkOutcome.APPLIED: count, BulkOutcome.STALE: count}
    action = {
        BulkAction.CANCEL: {"run.cancelled", "run.cancel_asked"},
        BulkAction.REDRIVE: {"run.queued"},
    }
    for seen in plan.targets:
        events = [event.action for event in await desk.runtime.history(seen.id)]
        moved = [event for event in events[1:] if event in action[deed]]
        assert len(moved) == 1


async def test_a_run_that_is_being_stopped_is_left_out(desk: Desk) -> None:
    run = await desk.start()
    desk.runs.claim(run.fence)
    plan = await desk.plan(BulkAction.CANCEL)
    assert ids(plan) == [run.id]
    await desk.carry_out(plan)
    assert why(await desk.plan(BulkAction.CANCEL)) == {run.id: Exclusion.STOPPING}


async def test_a_parent_and_its_children_are_cancelled_together(desk: Desk) -> None:
    parent = await desk.start()
    child = await desk.runtime.start("chain", {}, actor="ada", parent_id=parent.id)
    ends = await desk.carry_out(await desk.plan(BulkAction.CANCEL))
    assert outcomes(ends) == {child.id: BulkOutcome.APPLIED, parent.id: BulkOutcome.APPLIED}


async def test_a_plan_says_that_there_is_more_than_it_looks_at(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_module, "MAX_RUN_COUNT", 2)
    started = [await desk.start() for _ in range(3)]
    plan = await desk.plan(BulkAction.CANCEL)
    assert (ids(plan), plan.has_more) == ([run.id for run in started[:0:-1]], True)


async def test_runs_are_cancelled_while_workers_drive_them(store: Store) -> None:
    entered = asyncio.Event()

    async def linger(_: State) -> State:
        entered.set()
        await asyncio.Event().wait()
        return {}

    shop = Shop(store, chain_of(State, linger))
    bulk = Bulk(store, shop.runtime)
    started = [await shop.runtime.start("chain", {}, actor="ann") for _ in range(20)]
    async with shop.worker():
        async with asyncio.timeout(60):
            await entered.wait()
        left: Sequence[object] = started
        while left:
            plan = await bulk.plan(BulkAction.CANCEL, EVERY, by="ann")
            await bulk.carry_out(BulkAction.CANCEL, plan.targets, by="ann")
            # What a worker claimed in between had changed, and is seen anew.
            left = plan.targets
        for run in started:
            assert (await shop.until(run, RunStatus.CANCELLED)).cancel_by == "ann"
