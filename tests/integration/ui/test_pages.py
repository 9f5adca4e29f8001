"""The pages without a browser: what they show, and what comes of what is pressed."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from penstock.checkpoints import gates
from penstock.contracts.gate import Gate, GateStatus
from penstock.graphs import Catalog
from penstock.runs.settings import Settings
from penstock.ui import session
from penstock.ui.project import Project, open_project
from penstock.ui.server import SCRIPT
from penstock.ui.session import ControlRoom, open_control_room
from support.approvals import open_approval, reject
from support.rooms import make_project
from support.runs import Runs

PATIENCE_S = 60


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """An open store with nothing in it, and a room that shows it to root's login."""
    told = make_project(tmp_path)
    settings = Settings(store_url=told["PENSTOCK_STORE_URL"], tenant="acme")
    with open_project(settings, Catalog.of()) as opened:
        login = pwd.getpwuid(os.getuid()).pw_name
        open_control_room(
            ControlRoom(
                desk=opened, person=login, sessions=None, graphs_missing="No `langgraph.json`."
            )
        )
        yield opened


@pytest.fixture
def gate(desk: Project) -> Gate:
    """A call that waits for finance."""
    runs = Runs(desk.store)
    fence = runs.start("one")
    opened = open_approval(desk.store, fence, expires_s=10**9)
    runs.park(fence)
    return opened


def look(**parameters: str) -> AppTest:
    """Look at the first page."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def said(app: AppTest) -> str:
    """Return what a page says."""
    parts: list[Any] = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning]
    cards: list[Any] = list(app.get("html"))
    return "\n".join(
        [
            *(str(part.value) for part in [*parts, *app.error, *app.success]),
            *(str(card.proto.body) for card in cards),
        ]
    )


def decided(desk: Project, gate: Gate) -> Gate:
    """Return a gate as it is now."""
    return desk.store.read_blocking(lambda connection: gates.get(connection, gate.id))


@pytest.mark.usefixtures("desk")
def test_empty_inbox_says_what_would_appear_and_what_to_do() -> None:
    app = look()
    assert "Nothing needs you" in said(app)
    assert "What comes next" in said(app)
    assert not app.exception


def test_inbox_lists_what_needs_whoever_looks(gate: Gate) -> None:
    app = look()
    assert "pay_refund" in said(app)
    assert "1 of <strong>finance</strong>" in said(app)
    assert gate.id in {box.key.removeprefix("pick-") for box in app.checkbox if box.key}


def test_batch_decides_the_rows_that_were_picked(desk: Project, gate: Gate) -> None:
    app = look()
    app.checkbox(key=f"pick-{gate.id}").check().run()
    button = next(each for each in app.button if each.label == "Review them together")
    app = button.click().run()
    assert decided(desk, gate).status is GateStatus.OPEN
    approve = next(each for each in app.button if each.label == "Approve these 1")
    app = approve.click().run()
    assert decided(desk, gate).is_approved
    assert any("1 applied" in part.value for part in app.header)


def test_batch_leaves_alone_what_was_decided_meanwhile(desk: Project, gate: Gate) -> None:
    app = look()
    app.checkbox(key=f"pick-{gate.id}").check().run()
    app = next(each for each in app.button if each.label == "Review them together").click().run()
    reject(desk.store, gate)
    app = next(each for each in app.button if each.label == "Approve these 1").click().run()
    assert decided(desk, gate).decided_by == "eve"
    assert any("1 stale" in part.value for part in app.header)


def test_batch_is_not_rejected_without_a_reason(desk: Project, gate: Gate) -> None:
    app = look()
    app.checkbox(key=f"pick-{gate.id}").check().run()
    app = next(each for each in app.button if each.label == "Review them together").click().run()
    app = next(each for each in app.button if each.label == "Reject these 1").click().run()
    assert "needs its reason" in said(app)
    assert decided(desk, gate).status is GateStatus.OPEN


@pytest.mark.usefixtures("desk")
def test_missing_graphs_are_said_and_not_in_the_way() -> None:
    app = look()
    assert "graphs are not at hand" in said(app)
    assert not app.exception


def test_store_that_fails_is_a_sentence(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.contracts.errors import StoreBusy  # noqa: PLC0415

    def fail(*_: object) -> None:
        raise StoreBusy("the store is busy")

    monkeypatch.setattr(session, "read", fail)
    app = look()
    assert "The store cannot be used just now" in said(app)
    assert not app.exception
    assert desk.settings.tenant == "acme"


def test_somebody_whom_the_tenant_does_not_know_sees_nothing(
    desk: Project, gate: Gate, tmp_path: Path
) -> None:
    settings = desk.settings.model_copy(update={"people": tmp_path / "people.toml"})
    with open_project(settings, Catalog.of()) as strict:
        open_control_room(
            ControlRoom(desk=strict, person="mallory", sessions=None, graphs_missing=None)
        )
        app = look()
    assert "does not know" in said(app)
    assert "pay_refund" not in said(app)
    assert decided(desk, gate).status is GateStatus.OPEN
