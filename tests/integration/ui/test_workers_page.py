"""The page of the workers without a browser: what it shows, and that one is had to drain."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from penstock.checkpoints import workers
from penstock.checkpoints.schema import workers as table
from penstock.checkpoints.statements import database_now
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Failure, FailureCode, RunStatus
from penstock.contracts.worker import NewWorker
from penstock.ui.project import Project
from support.pages import login, look_at, open_empty, open_strict, said
from support.runs import NOW, Runs, lose

# A run that `Runs` starts is claimed by `worker-1`, and its graph is `demo` in the form `f`.
ONE = NewWorker(
    id=WorkerId("worker-1"),
    host="hall",
    pid=7,
    version="0.1.0",
    graphs=[("demo", "f")],
    slot_count=8,
    beat_s=600.0,
    lease_s=3600.0,
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """A room with nothing in it."""
    with open_empty(tmp_path) as opened:
        yield opened


def show(desk: Project, worker: NewWorker = ONE, *, silent_s: float = 0.0) -> None:
    """Have a worker show itself, so long ago."""

    def change(connection: Connection) -> None:
        workers.check_in(connection, worker)
        then = database_now(connection.dialect, plus_s=-silent_s)
        connection.execute(update(table).where(table.c.id == worker.id).values(seen_at=then))

    desk.store.write_blocking(change)


@pytest.mark.usefixtures("desk")
def test_empty_page_says_what_would_appear_and_what_to_do() -> None:
    app = look_at("workers")
    told = said(app)
    assert "No worker was heard of" in told
    assert "appears here" in told
    assert "Nothing is queued" in told
    assert [each.value for each in app.code] == ["penstock worker"]
    assert not app.exception


def test_worker_is_shown_with_its_state_its_lease_and_its_runs(desk: Project) -> None:
    show(desk)
    fence = Runs(desk.store).start("one")
    app = look_at("workers")
    told = said(app)
    assert "1 alive" in told
    assert "drives 1 of 8" in told
    assert "process 7 on hall" in told
    assert "its lease ends in" in told
    links: list[Any] = list(app.get("page_link"))
    assert f"Run {fence.run_id[:13]}" in [link.proto.label for link in links]


@pytest.mark.parametrize(
    ("silent_s", "state", "words"),
    [
        (10.0, "alive", "drives 0 of 8"),
        (2000.0, "late", "It should have been heard of by now"),
        (4000.0, "gone", "Others take over what it drove"),
    ],
)
def test_worker_that_is_not_heard_of_is_said_to_be_late_and_then_gone(
    desk: Project, silent_s: float, state: str, words: str
) -> None:
    show(desk, silent_s=silent_s)
    told = said(look_at("workers"))
    assert f"1 {state}" in told
    assert words in told


def test_queued_runs_that_no_living_worker_serves_are_said_plainly(desk: Project) -> None:
    runs = Runs(desk.store)
    runs.move(runs.start("one"), RunStatus.QUEUED)
    nobody = "Nobody will take 1 queued run of demo"
    assert nobody in said(look_at("workers"))
    show(desk, replace(ONE, id=WorkerId("other"), graphs=[("demo", "g")]))
    told = said(look_at("workers"))
    assert nobody in told
    assert "another form of this graph" in told
    show(desk, silent_s=4000.0)
    assert nobody in said(look_at("workers"))
    show(desk)
    assert "Nobody will take" not in said(look_at("workers"))
    desk.fleet.drain(ONE.id, by="olga", tenant="acme")
    assert nobody in said(look_at("workers"))


def test_operator_has_a_worker_drain(desk: Project) -> None:
    show(desk)
    app = look_at("workers")
    assert "No other worker takes runs of **demo**" in said(app)
    app = app.button(key="drain-now-worker-1").click().run()
    told = said(app)
    assert "hears with its next beat" in told
    assert f"**{login()}** asked it to drain" in told
    assert "1 draining" in told
    assert not [each for each in app.button if each.key == "drain-now-worker-1"]
    assert desk.fleet.workers()[0].drain_by == login()


def test_who_is_no_operator_cannot_have_a_worker_drain(desk: Project, tmp_path: Path) -> None:
    show(desk)
    with open_strict(desk, tmp_path, "vera"):
        app = look_at("workers")
        # What is hidden could be pressed all the same.
        app = app.button(key="drain-now-worker-1").click().run()
        assert "may not have workers drain" in said(app)
    assert desk.fleet.workers()[0].drain_by is None


def test_runs_of_lost_workers_and_those_that_can_be_redriven_are_led_to(desk: Project) -> None:
    runs = Runs(desk.store)
    taken, dead = runs.start("one"), runs.start("two")
    runs.move(taken, RunStatus.QUEUED)
    lose(desk.store, taken.run_id)
    failure = Failure(code=FailureCode.NODE_FAILED, message="`pay` is closed", redrivable=True)

    def fail(connection: Connection) -> None:
        from penstock.checkpoints.runs import move  # noqa: PLC0415

        move(connection, dead, RunStatus.FAILED, at=NOW, actor="test", failure=failure)

    desk.store.write_blocking(fail)
    told = said(look_at("workers"))
    assert "lost by lost\\-1" in told
    assert "Failed, and can be redriven (1)" in told
    assert "node_failed: `pay` is closed" in told
    app = look_at("runs", state="failed", redrive="1")
    assert "No run fits" not in said(app)
    assert "Can be redriven" in [each.label for each in app.button]


def test_worker_that_has_ended_is_told_of_apart(desk: Project) -> None:
    show(desk)
    desk.store.write_blocking(lambda tx: workers.end(tx, ONE.id))
    app = look_at("workers")
    assert "No worker is heard of" in said(app)
    assert [each.label for each in app.expander] == ["Ended in the last day (1)"]
