"""A step is written down for whoever drives its run, and never again once it has succeeded."""

from dataclasses import replace

from penstock.checkpoints import Store, steps
from penstock.contracts.run import Fence, RunStatus
from penstock.contracts.step import Step, StepKind, StepStatus
from support.runs import NOW, Runs


def step_of(fence: Fence, status: StepStatus) -> Step:
    """Return a step under a fence."""
    return Step(
        run_id=fence.run_id,
        epoch=fence.epoch,
        task_id="task",
        namespace="",
        node="look",
        kind=StepKind.PLAN,
        status=status,
        started_at=NOW,
        ended_at=None if status is StepStatus.STARTED else NOW,
        error="it broke" if status is StepStatus.FAILED else None,
    )


def record(store: Store, step: Step) -> list[Step]:
    """Write a step down, and return what is written of its run."""
    store.write_blocking(lambda connection: steps.record(connection, [step]))
    return list(store.read_blocking(lambda connection: steps.of_run(connection, step.run_id)))


def test_a_step_that_ends_takes_the_place_of_the_one_that_began(store: Store, runs: Runs) -> None:
    begun = step_of(runs.start("t"), StepStatus.STARTED)
    assert record(store, begun) == [begun]
    ended = replace(begun, status=StepStatus.SUCCEEDED, ended_at=NOW)
    assert record(store, ended) == [ended]


def test_an_old_driver_writes_no_step(store: Store, runs: Runs) -> None:
    old = runs.start("t")
    runs.take_over(old)
    assert record(store, step_of(old, StepStatus.STARTED)) == []


def test_no_step_is_written_of_a_run_that_is_over(store: Store, runs: Runs) -> None:
    fence = runs.start("t")
    runs.move(fence, RunStatus.SUCCEEDED)
    assert record(store, step_of(fence, StepStatus.STARTED)) == []


def test_a_step_that_failed_is_written_again_under_the_next_epoch(store: Store, runs: Runs) -> None:
    old = runs.start("t")
    failed = step_of(old, StepStatus.FAILED)
    record(store, failed)
    again = step_of(runs.take_over(old), StepStatus.STARTED)
    assert record(store, again) == [failed, again]


def test_a_step_that_succeeded_is_not_told_of_again(store: Store, runs: Runs) -> None:
    old = runs.start("t")
    done = step_of(old, StepStatus.SUCCEEDED)
    record(store, done)
    assert record(store, step_of(runs.take_over(old), StepStatus.STARTED)) == [done]
