"""A target that has lost a write takes nothing more until it is read anew."""

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


def target(epoch: int | None = None) -> WriteTarget:
    """Return a target, under a lease if an epoch is given."""
    fence = None if epoch is None else Fence(run_id=RunId("r"), epoch=epoch)
    return WriteTarget("thread", "", fence)


def test_a_target_that_lost_nothing_takes_writes() -> None:
    EarlyWrites().check(target())


def test_every_write_after_a_lost_one_is_refused_with_its_cause() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(), FULL, is_reported=False)
    for _ in range(2):
        with pytest.raises(WriteLost, match="no room") as caught:
            early_writes.check(target())
        assert caught.value.__cause__ is FULL


def test_a_loss_that_nobody_was_told_of_is_told_to_the_reader_and_only_once() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(), FULL, is_reported=False)
    with pytest.raises(WriteLost):
        early_writes.settle_blocking(target())
    early_writes.settle_blocking(target())
    early_writes.check(target())


def test_a_read_opens_a_target_whose_loss_was_told() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(), FULL, is_reported=True)
    with pytest.raises(WriteLost):
        early_writes.check(target())
    early_writes.settle_blocking(target())
    early_writes.check(target())


def test_other_threads_and_namespaces_are_not_concerned() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(), FULL, is_reported=False)
    early_writes.check(WriteTarget("other", "", None))
    early_writes.check(WriteTarget("thread", "sub", None))


def test_a_new_lease_starts_without_the_losses_of_the_old_one() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(1), FULL, is_reported=False)
    early_writes.check(target(2))
    early_writes.check(target(1))


def test_a_reader_without_the_lease_does_not_open_the_target() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(1), FULL, is_reported=True)
    early_writes.settle_blocking(target())
    with pytest.raises(WriteLost):
        early_writes.check(target(1))


def test_a_lost_lease_stays_a_control_signal() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(1), LeaseLost("epoch 2 drives"), is_reported=False)
    with pytest.raises(LeaseLost, match="epoch 2 drives"):
        early_writes.check(target(1))


def test_the_first_loss_is_the_one_that_is_told() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(), FULL, is_reported=False)
    early_writes.record_loss(target(), StoreFull("a later one"), is_reported=True)
    with pytest.raises(WriteLost, match="no room"):
        early_writes.check(target())


def test_one_caller_who_is_told_is_enough() -> None:
    early_writes = EarlyWrites()
    early_writes.record_loss(target(), FULL, is_reported=False)
    early_writes.record_loss(target(), FULL, is_reported=True)
    early_writes.settle_blocking(target())
    early_writes.check(target())


async def test_a_read_waits_for_what_was_answered_early() -> None:
    early_writes = EarlyWrites()
    early: Future[None] = Future()
    early_writes.answer_early(target(), lambda: early)
    reading = asyncio.create_task(early_writes.settle(None))
    await asyncio.sleep(0)
    assert not reading.done()
    early.set_result(None)
    await reading


async def test_a_read_waits_for_its_own_target_only() -> None:
    early_writes = EarlyWrites()
    early: Future[None] = Future()
    early_writes.answer_early(target(), lambda: early)
    other = WriteTarget("another", "", None)
    await early_writes.settle(other)
    reading = asyncio.create_task(early_writes.settle(target()))
    await asyncio.sleep(0)
    assert not reading.done()
    early.set_result(None)
    await reading


def test_what_was_answered_early_is_not_held_on_to() -> None:
    early_writes = EarlyWrites()
    early: list[Future[None]] = [Future()]
    left = ref(early[0])
    early_writes.answer_early(target(), early.pop)
    assert left() is not None
    early_writes.answer_early(WriteTarget("another", "", None), Future)
    assert left() is None


async def test_an_early_answer_that_fails_is_told_through_the_target() -> None:
    early_writes = EarlyWrites()
    early: Future[None] = Future()
    early_writes.answer_early(target(), lambda: early)
    early_writes.record_loss(target(), FULL, is_reported=False)
    early.set_exception(FULL)
    await early_writes.settle(None)
    with pytest.raises(WriteLost):
        await early_writes.settle(target())
