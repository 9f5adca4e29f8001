"""The table of a run's states is whole and says what the design says."""

from datetime import UTC, datetime, timedelta

from penstock.contracts.ids import new_run_id
from penstock.contracts.run import ENDED, LIVE, TRANSITIONS, RunStatus, sources


def test_every_state_has_its_moves() -> None:
    assert set(TRANSITIONS) == set(RunStatus)


def test_a_run_that_succeeded_or_was_cancelled_never_moves_again() -> None:
    assert not TRANSITIONS[RunStatus.SUCCEEDED]
    assert not TRANSITIONS[RunStatus.CANCELLED]


def test_a_failed_run_moves_only_by_a_redrive() -> None:
    assert TRANSITIONS[RunStatus.FAILED] == {RunStatus.QUEUED}


def test_only_a_queued_run_starts() -> None:
    assert sources(RunStatus.RUNNING) == {RunStatus.QUEUED}


def test_a_run_is_live_or_ended() -> None:
    assert set(RunStatus) == LIVE | ENDED
    assert not LIVE & ENDED


def test_every_live_run_can_be_cancelled() -> None:
    assert sources(RunStatus.CANCELLED) == LIVE


def test_ids_of_later_runs_sort_later() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [new_run_id(start + timedelta(microseconds=number)) for number in range(3000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 3000
