"""A lane that has lost a write takes nothing more until it is read anew."""

import asyncio
from concurrent.futures import Future
from weakref import ref

import pytest

from penstock.checkpoints.saver.early_writes import EarlyWrites, WriteTarget
from penstock.contracts.errors import StoreFull, WriteLost
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence
from penstock.contracts.signals import LeaseLost

FULL = StoreFull("no room")


def lane(epoch: int | None = None) -> WriteTarget:
    """Return a lane, under a lease if an epoch is given."""
    fence = None if epoch is None else Fence(run_id=RunId("r"), epoch=epoch)
    return WriteTarget("thread", "", fence)


def test_a_lane_that_lost_nothing_takes_writes() -> None:
    EarlyWrites().check(lane())


def test_every_write_after_a_lost_one_is_refused_with_its_cause() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(), FULL, told=False)
    for _ in range(2):
        with pytest.raises(WriteLost, match="no room") as caught:
            lanes.check(lane())
        assert caught.value.__cause__ is FULL


def test_a_loss_that_nobody_was_told_of_is_told_to_the_reader_and_only_once() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(), FULL, told=False)
    with pytest.raises(WriteLost):
        lanes.settle_blocking(lane())
    lanes.settle_blocking(lane())
    lanes.check(lane())


def test_a_read_opens_a_lane_whose_loss_was_told() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(), FULL, told=True)
    with pytest.raises(WriteLost):
        lanes.check(lane())
    lanes.settle_blocking(lane())
    lanes.check(lane())


def test_other_threads_and_namespaces_are_not_concerned() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(), FULL, told=False)
    lanes.check(WriteTarget("other", "", None))
    lanes.check(WriteTarget("thread", "sub", None))


def test_a_new_lease_starts_without_the_losses_of_the_old_one() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(1), FULL, told=False)
    lanes.check(lane(2))
    lanes.check(lane(1))


def test_a_reader_without_the_lease_does_not_open_the_lane() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(1), FULL, told=True)
    lanes.settle_blocking(lane())
    with pytest.raises(WriteLost):
        lanes.check(lane(1))


def test_a_lost_lease_stays_a_control_signal() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(1), LeaseLost("epoch 2 drives"), told=False)
    with pytest.raises(LeaseLost, match="epoch 2 drives"):
        lanes.check(lane(1))


def test_the_first_loss_is_the_one_that_is_told() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(), FULL, told=False)
    lanes.lose(lane(), StoreFull("a later one"), told=True)
    with pytest.raises(WriteLost, match="no room"):
        lanes.check(lane())


def test_one_caller_who_is_told_is_enough() -> None:
    lanes = EarlyWrites()
    lanes.lose(lane(), FULL, told=False)
    lanes.lose(lane(), FULL, told=True)
    lanes.settle_blocking(lane())
    lanes.check(lane())


async def test_a_read_waits_for_what_was_answered_early() -> None:
    lanes = EarlyWrites()
    early: Future[None] = Future()
    lanes.answer_early(lane(), lambda: early)
    reading = asyncio.create_task(lanes.settle(None))
    await asyncio.sleep(0)
    assert not reading.done()
    early.set_result(None)
    await reading


async def test_a_read_waits_for_its_own_lane_only() -> None:
    lanes = EarlyWrites()
    early: Future[None] = Future()
    lanes.answer_early(lane(), lambda: early)
    other = WriteTarget("another", "", None)
    await lanes.settle(other)
    reading = asyncio.create_task(lanes.settle(lane()))
    await asyncio.sleep(0)
    assert not reading.done()
    early.set_result(None)
    await reading


def test_what_was_answered_early_is_not_held_on_to() -> None:
    lanes = EarlyWrites()
    early: list[Future[None]] = [Future()]
    left = ref(early[0])
    lanes.answer_early(lane(), early.pop)
    assert left() is not None
    lanes.answer_early(WriteTarget("another", "", None), Future)
    assert left() is None


async def test_an_early_answer_that_fails_is_told_through_the_lane() -> None:
    lanes = EarlyWrites()
    early: Future[None] = Future()
    lanes.answer_early(lane(), lambda: early)
    lanes.lose(lane(), FULL, told=False)
    early.set_exception(FULL)
    await lanes.settle(None)
    with pytest.raises(WriteLost):
        await lanes.settle(lane())
