"""What is to be told where traces are shown: found, taken, told once, tried again, given up."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from penstock.checkpoints import Store, annotations
from penstock.checkpoints.runs import claim, wake
from penstock.checkpoints.schema import annotations as rows
from penstock.checkpoints.statements import database_now
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Fence, RunStatus
from penstock.contracts.trace import Annotation, AnnotationKind
from support.approvals import open_approval, reject
from support.runs import NOW, Runs

SINCE = NOW - timedelta(days=1)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def take(store: Store, *, limit: int = 10) -> Sequence[Annotation]:
    return store.write_blocking(
        lambda connection: annotations.take(connection, since=SINCE, limit=limit)
    )


def is_due(store: Store) -> bool:
    return store.read_blocking(lambda connection: annotations.any_due(connection, since=SINCE))


def fail(store: Store, annotation: Annotation) -> None:
    store.write_blocking(
        lambda connection: annotations.record_failure(connection, annotation, why="404")
    )


def be_due(store: Store) -> None:
    """Have everything that waits be due now."""
    store.write_blocking(
        lambda connection: connection.execute(
            update(rows).values(due_at=database_now(connection.dialect, plus_s=-1.0))
        )
    )


def stored(store: Store) -> Sequence[Any]:
    return store.read_blocking(lambda connection: connection.execute(select(rows)).all())


def decided(store: Store, runs: Runs) -> Fence:
    """Have a gate decided at which a run waits."""
    fence = runs.start("one")
    gate = open_approval(store, fence)
    runs.park(fence)
    reject(store, gate)
    return fence


def ended(runs: Runs) -> Fence:
    """Have a run come to its end."""
    fence = runs.start("one")
    runs.move(fence, RunStatus.SUCCEEDED)
    return fence


def test_nothing_is_to_be_told_of_runs_that_go_on(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    assert not is_due(store)
    assert take(store) == []


def test_a_decision_is_to_be_told_once_its_run_goes_on(store: Store, runs: Runs) -> None:
    fence = decided(store, runs)
    assert not is_due(store)
    store.write_blocking(lambda tx: wake(tx, fence.run_id, at=later(1), actor="test"))
    assert not is_due(store)
    worker = WorkerId("worker-2")
    store.write_blocking(lambda tx: claim(tx, fence.run_id, worker, lease_s=60, at=later(2)))
    assert is_due(store)
    (taken,) = take(store)
    assert taken.kind is AnnotationKind.DECISION
    assert taken.run_id == fence.run_id
    assert taken.subject == f"gate:{taken.gate_id}"


def test_each_end_of_a_run_is_to_be_told(store: Store, runs: Runs) -> None:
    fence = ended(runs)
    (taken,) = take(store)
    assert taken.kind is AnnotationKind.OUTCOME
    assert taken.subject == f"run:{fence.run_id}:1"
    assert taken.gate_id is None


def test_what_ended_long_ago_is_left_alone(store: Store, runs: Runs) -> None:
    ended(runs)
    found = store.write_blocking(lambda tx: annotations.take(tx, since=later(1), limit=10))
    assert found == []


def test_what_is_taken_is_nobody_elses_for_a_time(store: Store, runs: Runs) -> None:
    ended(runs)
    assert len(take(store)) == 1
    assert not is_due(store)
    assert take(store) == []
    be_due(store)
    (again,) = take(store)
    assert again.attempt_count == 2


def test_what_was_told_is_not_told_again(store: Store, runs: Runs) -> None:
    ended(runs)
    (taken,) = take(store)
    store.write_blocking(lambda tx: annotations.record_sent(tx, taken))
    be_due(store)
    assert not is_due(store)
    assert take(store) == []
    (row,) = stored(store)
    assert row.outcome == "told"


def test_what_failed_waits_longer_each_time_and_is_given_up_in_the_end(
    store: Store, runs: Runs
) -> None:
    ended(runs)
    for _ in range(annotations.ATTEMPT_LIMIT):
        (taken,) = take(store)
        fail(store, taken)
        assert take(store) == []
        be_due(store)
    assert not is_due(store)
    (row,) = stored(store)
    assert row.outcome == "given up: 404"


@pytest.mark.parametrize("attempt", [1, 2, 20])
def test_waits_have_a_longest(store: Store, runs: Runs, attempt: int) -> None:
    ended(runs)
    take(store)
    store.write_blocking(lambda tx: tx.execute(update(rows).values(attempt_count=min(attempt, 15))))
    before = store.read_blocking(lambda tx: tx.execute(select(database_now(tx.dialect))).scalar())
    (row,) = stored(store)
    fail(store, annotations._annotation(row))
    (row,) = stored(store)
    assert before is not None
    waits_s = (row.due_at - before).total_seconds()
    wanted_s = min(5.0 * 2 ** (min(attempt, 15) - 1), 3600.0)
    assert wanted_s - 1 <= waits_s <= wanted_s + 60


def test_where_nobody_is_there_to_be_told_no_attempt_is_counted(store: Store, runs: Runs) -> None:
    ended(runs)
    (taken,) = take(store)
    store.write_blocking(lambda tx: annotations.release(tx, taken, wait_s=30.0))
    assert not is_due(store)
    be_due(store)
    (again,) = take(store)
    assert again.attempt_count == 1


def test_no_trouble_is_heard_of_by_whom_another_has_taken_it_from(store: Store, runs: Runs) -> None:
    ended(runs)
    take(store)
    limit = annotations.ATTEMPT_LIMIT - 1
    store.write_blocking(lambda tx: tx.execute(update(rows).values(attempt_count=limit)))
    be_due(store)
    (early,) = take(store)
    be_due(store)
    (late,) = take(store)
    fail(store, early)
    store.write_blocking(lambda tx: annotations.release(tx, early, wait_s=30.0))
    (row,) = stored(store)
    assert (row.outcome, row.attempt_count) == (None, late.attempt_count)
    store.write_blocking(lambda tx: annotations.record_sent(tx, early))
    (row,) = stored(store)
    assert row.outcome == "told"
