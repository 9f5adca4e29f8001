"""The list of runs without a browser: its filter, and many runs acted on at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update
from streamlit.testing.v1 import AppTest

from penstock.checkpoints import runs as run_rows
from penstock.checkpoints.schema import run_tags, runs
from penstock.contracts.ids import RunId
from penstock.contracts.run import Failure, FailureCode, RunStatus
from penstock.ui.forms import bulk_actions
from penstock.ui.project import Project
from support.pages import TENANT, login, look_at, open_empty, open_strict, said, show_to
from support.runs import NOW, Runs


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """A room with nothing in it."""
    with open_empty(tmp_path) as opened:
        yield opened


def waiting(desk: Project, thread: str, *, tag: str | None = None) -> RunId:
    """Have a run wait."""
    made = Runs(desk.store)
    fence = made.start(thread)
    made.park(fence)

    def give(connection: Connection) -> None:
        row = {"run_id": fence.run_id, "tenant": TENANT, "tag": tag}
        connection.execute(run_tags.insert().values(**row))
        connection.execute(update(runs).where(runs.c.id == fence.run_id).values(tags=f'["{tag}"]'))

    if tag is not None:
        desk.store.write_blocking(give)
    return fence.run_id


def failed(desk: Project, thread: str, *, redrivable: bool) -> RunId:
    """Have a run fail."""
    fence = Runs(desk.store).start(thread)
    failure = Failure(code=FailureCode.NODE_FAILED, message="broken", redrivable=redrivable)
    desk.store.write_blocking(
        lambda tx: run_rows.move(tx, fence, RunStatus.FAILED, at=NOW, actor="test", failure=failure)
    )
    return fence.run_id


def status(desk: Project, run_id: RunId) -> RunStatus:
    return desk.store.read_blocking(lambda connection: run_rows.get(connection, run_id)).status


def press(app: AppTest, label: str) -> AppTest:
    """Press the button with this label."""
    (button,) = [each for each in app.button if each.label == label]
    assert not button.disabled, button.help
    return button.click().run()


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def heads(app: AppTest) -> list[str]:
    return [part.value for part in app.header]


def test_what_fits_the_filter_is_looked_over_first_and_then_cancelled(desk: Project) -> None:
    mine, other = [waiting(desk, "one", tag="a"), waiting(desk, "two", tag="a")], waiting(desk, "x")
    app = press(look_at("runs", tags="a"), "Cancel all…")
    assert heads(app) == ["Cancel 2 runs?"]
    assert "Nothing has been done yet" in said(app)
    assert {status(desk, run_id) for run_id in mine} == {RunStatus.WAITING}
    app.text_input(key="bulk-reason").input("too many")
    app = press(app, "Cancel these 2 runs")
    assert heads(app) == ["Done: 2 applied, 0 skipped, 0 stale"]
    assert {status(desk, run_id) for run_id in mine} == {RunStatus.CANCELLED}
    assert status(desk, other) is RunStatus.WAITING
    events = desk.store.read_blocking(lambda tx: run_rows.get(tx, mine[0]))
    assert (events.cancel_by, events.cancel_reason) == (login(), "too many")
    assert "Cancel all…" in labels(press(app, "Back to the runs"))


def test_what_changes_before_it_is_confirmed_is_left_as_it_is(desk: Project) -> None:
    first, second = waiting(desk, "one"), waiting(desk, "two")
    app = press(look_at("runs", graph="demo"), "Cancel all…")
    desk.store.write_blocking(lambda tx: run_rows.wake(tx, first, at=NOW, actor="test"))
    app = press(app, "Cancel these 2 runs")
    assert heads(app) == ["Done: 1 applied, 0 skipped, 1 stale"]
    assert (status(desk, first), status(desk, second)) == (RunStatus.QUEUED, RunStatus.CANCELLED)


def test_two_windows_do_it_once(desk: Project) -> None:
    run_id = waiting(desk, "one")
    windows = [press(look_at("runs", graph="demo"), "Cancel all…") for _ in range(2)]
    ends = [press(window, "Cancel this run") for window in windows]
    assert [heads(end) for end in ends] == [
        ["Done: 1 applied, 0 skipped, 0 stale"],
        ["Done: 0 applied, 0 skipped, 1 stale"],
    ]
    assert Runs(desk.store).told(_fence(desk, run_id)).count("run.cancelled") == 1


def _fence(desk: Project, run_id: RunId) -> Any:
    return desk.store.read_blocking(lambda connection: run_rows.get(connection, run_id)).fence


def test_redrive_says_what_it_leaves_out_and_why(desk: Project) -> None:
    good, dead = failed(desk, "one", redrivable=True), failed(desk, "two", redrivable=False)
    waiting(desk, "three")
    app = press(look_at("runs", graph="demo"), "Redrive all…")
    assert heads(app) == ["Redrive 1 run?"]
    left_out: Any = app.table[1].value
    assert list(left_out["why"]) == [
        "failed for good, so that a redrive cannot help",
        r"not failed\: waiting",
    ]
    press(app, "Redrive this run")
    assert (status(desk, good), status(desk, dead)) == (RunStatus.QUEUED, RunStatus.FAILED)


def test_many_are_done_only_by_who_says_that_all_are_meant(
    desk: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "SURE", 1)
    ids = [waiting(desk, thread) for thread in ("one", "two")]
    app = press(press(look_at("runs", graph="demo"), "Cancel all…"), "Cancel these 2 runs")
    assert "Say that you mean all of them" in said(app)
    assert {status(desk, run_id) for run_id in ids} == {RunStatus.WAITING}
    app.checkbox(key="bulk-sure").check()
    press(app, "Cancel these 2 runs")
    assert {status(desk, run_id) for run_id in ids} == {RunStatus.CANCELLED}


def test_who_leaves_in_the_middle_is_asked_before_it_goes_on(
    desk: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "PORTION", 1)
    ids = [waiting(desk, thread) for thread in ("one", "two", "three")]
    app = press(press(look_at("runs", graph="demo"), "Cancel all…"), "Cancel these 3 runs")
    app = app.run()
    assert heads(app) == ["Stopped: 1 applied, 0 skipped, 0 stale"]
    assert "2 runs not touched" in said(app)
    assert [status(desk, run_id) for run_id in ids].count(RunStatus.WAITING) == 2
    monkeypatch.setattr(bulk_actions, "PORTION", 10)
    app = press(app, "Go on with the other 2")
    assert heads(app) == ["Done: 3 applied, 0 skipped, 0 stale"]


def test_nothing_is_offered_for_all_runs_without_a_filter(desk: Project) -> None:
    waiting(desk, "one")
    app = look_at("runs")
    offered = [each for each in app.button if each.label.endswith("all…")]
    assert len(offered) == 2
    assert all(each.disabled and each.help == "Choose a filter first." for each in offered)


def test_who_looks_only_is_offered_nothing_and_does_nothing_with_what_another_saw(
    desk: Project, tmp_path: Path
) -> None:
    run_id = waiting(desk, "one")
    with open_strict(desk, tmp_path, "vera") as strict:
        assert "Cancel all…" not in labels(look_at("runs", graph="demo"))
        show_to(strict, "olga")
        app = press(look_at("runs", graph="demo"), "Cancel all…")
        show_to(strict, "vera")
        app = press(app, "Cancel this run")
    assert heads(app) == ["Done: 0 applied, 1 skipped, 0 stale"]
    assert status(desk, run_id) is RunStatus.WAITING


def test_amount_that_is_none_is_said_and_not_looked_for(desk: Project) -> None:
    waiting(desk, "one")
    app = look_at("runs", spent="lots")
    assert "is not looked for" in said(app)
    assert "No run fits" not in said(app)
    assert "No run fits" in said(look_at("runs", spent="50,000 tokens"))
    assert "No run fits" in said(look_at("runs", spent="0.50 USD"))


def test_filter_of_another_page_can_be_taken_away(desk: Project) -> None:
    waiting(desk, "one")
    app = look_at("runs", graph="demo", node="pay", shape="f" * 64)
    assert "No run fits" in said(app)
    app = press(app, "Waits in pay")
    app = press(app, "Fingerprint ffffffff")
    assert "No run fits" not in said(app)


def test_whatever_the_address_asks_for_is_no_error(desk: Project) -> None:
    waiting(desk, "one")
    for name in (
        "state",
        "graph",
        "time",
        "waits",
        "tags",
        "spent",
        "node",
        "shape",
        "redrive",
        "find",
    ):
        app = look_at("runs", **{name: "a,b\u202e,,'\"; DROP TABLE runs"})
        assert not app.exception
