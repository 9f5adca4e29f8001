"""A run moves only as the table of its states says, and only for whoever holds its epoch."""

import json
import sqlite3
from itertools import product

import pytest
from psycopg.errors import CheckViolation
from sqlalchemy import Connection, insert, select

from penstock.checkpoints import Store, gates, leases, runs
from penstock.checkpoints import schema as tables
from penstock.checkpoints.runs import cancel, claim, park
from penstock.contracts.errors import IllegalTransition, UnknownRun
from penstock.contracts.gate import Question
from penstock.contracts.ids import GateId, RunId, ThreadId, WorkerId, new_run_id
from penstock.contracts.run import (
    ENDED,
    TRANSITIONS,
    Failure,
    FailureCode,
    Fence,
    NewRun,
    RunStatus,
    WhenBusy,
)
from penstock.contracts.signals import LeaseLost
from support.runs import NOW, Runs

WRONG = Failure(code=FailureCode.TOOL_FAILED, message="it broke; mend it", redrivable=True)
EVERY_MOVE = list(product(RunStatus, RunStatus))


def put(connection: Connection, status: RunStatus) -> Fence:
    """Write a run straight into a state."""
    failed = status is RunStatus.FAILED
    run_id = new_run_id(NOW)
    connection.execute(
        insert(tables.runs).values(
            id=run_id,
            tenant="acme",
            thread_id="t",
            graph="demo",
            graph_version="1",
            fingerprint="f",
            input="{}",
            status=status,
            epoch=3,
            lost_count=0,
            worker_id="w" if status is RunStatus.RUNNING else None,
            lease_expires_at=NOW if status is RunStatus.RUNNING else None,
            created_at=NOW,
            changed_at=NOW,
            ended_at=NOW if status in ENDED else None,
            failure_code=WRONG.code if failed else None,
            failure_message=WRONG.message if failed else None,
            failure_redrivable=1 if failed else None,
        ),
    )
    return Fence(run_id=run_id, epoch=3)


@pytest.mark.parametrize(("before", "to"), EVERY_MOVE)
def test_a_run_makes_exactly_the_moves_of_the_table(
    store: Store, before: RunStatus, to: RunStatus
) -> None:
    fence = store.write_blocking(lambda connection: put(connection, before))
    failure = WRONG if to is RunStatus.FAILED else None

    def move(connection: Connection) -> RunStatus | None:
        if to is RunStatus.RUNNING:
            claimed = runs.claim(connection, fence.run_id, WorkerId("w2"), lease_s=9, at=NOW)
            return None if claimed is None else to
        try:
            return runs.move(connection, fence, to, at=NOW, actor="test", failure=failure).status
        except IllegalTransition:
            return None

    moved = store.write_blocking(move)
    after = store.read_blocking(lambda connection: runs.get(connection, fence.run_id))
    if to in TRANSITIONS[before]:
        assert moved == after.status == to
        assert (after.ended_at is not None) == (to in ENDED)
        assert after.failure == failure
    else:
        assert moved is None
        assert after.status == before


def test_a_run_becomes_running_only_by_a_claim(store: Store) -> None:
    fence = store.write_blocking(lambda connection: put(connection, RunStatus.QUEUED))
    with pytest.raises(IllegalTransition, match="cannot become running"):
        store.write_blocking(
            lambda connection: runs.move(connection, fence, RunStatus.RUNNING, at=NOW, actor="x")
        )


def test_a_claim_raises_the_epoch_and_names_the_worker(runs: Runs) -> None:
    first = runs.start("t")
    second = runs.take_over(first)
    assert (first.epoch, second.epoch) == (1, 2)


def test_a_run_is_claimed_once(store: Store, runs: Runs) -> None:
    fence = runs.start("t")
    again = store.write_blocking(
        lambda connection: claim(connection, fence.run_id, WorkerId("late"), lease_s=9, at=NOW)
    )
    assert again is None


def test_the_old_driver_of_a_run_cannot_move_it(runs: Runs) -> None:
    old = runs.start("t")
    runs.take_over(old)
    for to in RunStatus:
        with pytest.raises(LeaseLost, match="is at epoch 2, not at 1"):
            runs.move(old, to)


def test_a_run_that_was_to_be_cancelled_does_not_wait_at_a_gate(store: Store, runs: Runs) -> None:
    fence = runs.start("t")
    question = Question(id=GateId("g"), question="{}", answer_schema=None)

    def ask(connection: Connection) -> RunStatus:
        cancel(connection, fence.run_id, at=NOW, by="ann")
        return park(connection, fence, [question], at=NOW, actor="worker-1").status

    assert store.write_blocking(ask) is RunStatus.CANCELLED
    opened = store.read_blocking(lambda connection: gates.of_run(connection, fence.run_id))
    assert opened == []


def test_a_run_that_does_not_exist_is_named(store: Store) -> None:
    nobody = Fence(run_id=RunId("none"), epoch=1)
    with pytest.raises(UnknownRun, match="`none`"):
        store.read_blocking(lambda connection: runs.get(connection, nobody.run_id))
    with pytest.raises(UnknownRun, match="`none`"):
        store.write_blocking(
            lambda connection: runs.move(connection, nobody, RunStatus.FAILED, at=NOW, actor="x")
        )


def test_a_failed_run_must_say_why(runs: Runs) -> None:
    fence = runs.start("t")
    with pytest.raises((sqlite3.IntegrityError, CheckViolation), match="ck_runs_failure"):
        runs.move(fence, RunStatus.FAILED)


def test_every_move_leaves_an_audit_event_and_a_refused_one_leaves_none(
    store: Store, runs: Runs
) -> None:
    old = runs.start("t")
    new = runs.take_over(old)
    with pytest.raises(LeaseLost):
        runs.move(old, RunStatus.SUCCEEDED)
    runs.move(new, RunStatus.SUCCEEDED)
    events = store.read_blocking(
        lambda connection: connection.execute(select(tables.audit_events)).fetchall()
    )
    assert [event.action for event in events] == [
        "run.queued",
        "run.claimed",
        "run.queued",
        "run.claimed",
        "run.succeeded",
    ]
    assert [json.loads(event.detail)["epoch"] for event in events] == [0, 1, 1, 2, 2]
    assert {(event.tenant, event.run_id, event.at) for event in events} == {
        ("acme", new.run_id, NOW)
    }


def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    new = NewRun(
        id=new_run_id(NOW),
        tenant="acme",
        key="order-7",
        thread_id=ThreadId("t"),
        graph="demo",
        graph_version="1.2",
        fingerprint="f",
        input='{"n":1}',
    )
    made, queued = store.write_blocking(
        lambda connection: runs.create(
            connection, new, when_busy=WhenBusy.WAIT, at=NOW, actor="somebody"
        )
    )
    assert queued
    found = store.read_blocking(lambda connection: runs.get(connection, new.id))
    assert made == found
    assert found.created_at == NOW
    assert (found.status, found.epoch, found.worker_id) == (RunStatus.QUEUED, 0, None)


def test_a_claim_finds_what_is_live_on_a_thread_by_its_index(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:

        def plan(connection: Connection) -> str:
            waiting = leases._waiting((("demo", "f"),)).on(connection)
            asked = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {waiting._sql}", (*"abc", 1, 0))
            return "\n".join(row.detail for row in asked)

        told = store.read_blocking(plan)
    assert "ix_runs_live_thread_id (thread_id=?)" in told, told
    assert "SCAN older" not in told


@pytest.mark.parametrize("status", RunStatus)
@pytest.mark.parametrize("is_paused", [False, True])
def test_a_cancellation_of_a_run_in_each_state(
    store: Store, *, status: RunStatus, is_paused: bool
) -> None:
    fence = store.write_blocking(lambda connection: put(connection, status))
    if is_paused:
        paused = tables.runs.update().where(tables.runs.c.id == fence.run_id)
        store.write_blocking(
            lambda connection: connection.execute(paused.values(pause_by="bob", pause_at=NOW))
        )

    def ask(connection: Connection) -> None:
        cancel(connection, fence.run_id, at=NOW, by="ann", reason="wrong order")

    if status in {RunStatus.SUCCEEDED, RunStatus.FAILED}:
        with pytest.raises(IllegalTransition):
            store.write_blocking(ask)
    else:
        store.write_blocking(ask)
    found = store.read_blocking(lambda connection: runs.get(connection, fence.run_id))
    wanted = {
        RunStatus.QUEUED: (RunStatus.CANCELLED, "ann", NOW, "wrong order"),
        RunStatus.WAITING: (RunStatus.CANCELLED, "ann", NOW, "wrong order"),
        # Whoever drives it sees the flag.
        RunStatus.RUNNING: (RunStatus.RUNNING, "ann", NOW, "wrong order"),
        RunStatus.SUCCEEDED: (RunStatus.SUCCEEDED, None, None, None),
        RunStatus.FAILED: (RunStatus.FAILED, None, None, None),
        RunStatus.CANCELLED: (RunStatus.CANCELLED, None, None, None),
    }[status]
    assert (found.status, found.cancel_by, found.cancel_at, found.cancel_reason) == wanted


def test_who_cancelled_first_is_kept(store: Store, runs: Runs) -> None:
    fence = runs.start("t")

    def ask(connection: Connection) -> list[str | None]:
        return [
            cancel(connection, fence.run_id, at=NOW, by=by, reason=by).cancel_reason
            for by in ("ann", "eve")
        ]

    assert store.write_blocking(ask) == ["ann", "ann"]
    assert runs.told(fence).count("run.cancel_asked") == 1
