"""Whether a worker is heard of follows from how long it has said nothing."""

from dataclasses import replace

import pytest

from penstock.contracts.ids import WorkerId
from penstock.contracts.worker import KnownWorker, WorkerState
from support.runs import NOW

FRESH = KnownWorker(
    id=WorkerId("host-1-a"),
    host="host",
    pid=1,
    version="1",
    graphs=[("one", "f1"), ("two", "f2")],
    slot_count=8,
    beat_s=1.0,
    lease_s=5.0,
    started_at=NOW,
    seen_at=NOW,
    silent_s=0.0,
    drain_by=None,
    drain_at=None,
    ended_at=None,
)


@pytest.mark.parametrize(
    ("silent_s", "state"),
    [
        (0.0, WorkerState.ALIVE),
        (2.5, WorkerState.ALIVE),
        (2.6, WorkerState.LATE),
        (5.0, WorkerState.LATE),
        (5.1, WorkerState.GONE),
    ],
)
def test_worker_is_late_after_some_beats_and_gone_after_its_lease(
    silent_s: float, state: WorkerState
) -> None:
    assert replace(FRESH, silent_s=silent_s).state is state


def test_worker_that_was_asked_to_drain_drains_as_long_as_it_is_heard_of() -> None:
    asked = replace(FRESH, drain_by="olga", drain_at=NOW)
    assert asked.state is WorkerState.DRAINING
    assert replace(asked, silent_s=3.0).state is WorkerState.LATE
    assert replace(asked, silent_s=9.0).state is WorkerState.GONE
    assert replace(asked, ended_at=NOW).state is WorkerState.ENDED


def test_worker_may_take_runs_as_long_as_it_may_be_there_and_nobody_asked_it_to_drain() -> None:
    assert FRESH.is_taking
    assert replace(FRESH, silent_s=3.0).is_taking
    assert not replace(FRESH, silent_s=9.0).is_taking
    assert not replace(FRESH, ended_at=NOW).is_taking
    for silent_s in (0.0, 3.0):
        asked = replace(FRESH, silent_s=silent_s, drain_by="olga", drain_at=NOW)
        assert not asked.is_taking


def test_worker_serves_the_forms_of_graphs_that_it_has() -> None:
    assert FRESH.serves("one", "f1")
    assert not FRESH.serves("one", "f2")
