"""The page of the audit: where a chain is broken, what is found in it, and who sees what."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from penstock.checkpoints import audit, erasure
from penstock.checkpoints.audit import marks
from penstock.checkpoints.schema import audit_heads
from penstock.contracts.audit import AuditEvent, ChainedEvent, EventFilter, expected_hash
from penstock.contracts.ids import RunId
from penstock.contracts.run import RunStatus
from penstock.runs.signed_heads import HeadSigner, make_key
from penstock.ui.cli.app import app
from penstock.ui.exports import event_lines
from penstock.ui.project import Project
from support import chains
from support.chains import Tamper, change, remove, set_head
from support.pages import cells, look_at, open_pages, people, said
from support.runs import NOW, Runs

SLICES = 40
"""More than any chain here takes."""


@pytest.fixture
def desk(sqlite_url: str) -> Iterator[Project]:
    """A room over a store with nothing in it."""
    with open_pages(sqlite_url) as opened:
        yield opened


def press(app: AppTest, label: str) -> AppTest:
    """Press a button, and look until what it began is over."""
    app = next(each for each in app.button if each.label.startswith(label)).click().run()
    for _ in range(SLICES):
        if not any(each.label == "Stop" for each in app.button):
            assert not app.exception
            return app
        app = app.run()
    raise AssertionError(said(app))


def verify_all() -> str:
    """Verify all of the chain; return what the page says then."""
    return said(press(look_at("audit"), "Verify all of it"))


def told(page: str) -> str:
    """Return what a page says without what keeps it from being Markdown."""
    return page.replace("\\", "").replace("\u2060", "")


def test_empty_chain_says_what_would_appear(desk: Project) -> None:
    app = look_at("audit")
    assert "Nothing was recorded yet" in said(app)
    assert "There is no event yet" in said(app)
    assert not app.exception
    assert desk.settings.tenant == "acme"


def test_chain_is_verified_and_then_only_what_came_since(desk: Project) -> None:
    chains.tell(desk.store, *"abc")
    app = look_at("audit")
    assert "Not verified yet" in said(app)
    app = press(app, "Verify all of it")
    assert "Verified up to #3" in said(app)
    assert "in the control room" in said(app)
    chains.tell(desk.store, *"de")
    app = look_at("audit")
    assert "Verified up to #3" in said(app)
    assert "2 events came since" in said(app)
    app = press(app, "Verify what came since #3")
    assert "Verified up to #5" in said(app)
    assert "Looked at what came since: everything up to #5 is as it was written" in said(app)
    assert "what came since; all of it" in said(look_at("audit"))


def test_what_the_command_line_has_verified_is_shown(
    desk: Project, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chains.tell(desk.store, *"abc")
    monkeypatch.setenv("PENSTOCK_STORE_URL", sqlite_url)
    assert CliRunner().invoke(app, ["audit", "verify"]).exit_code == 0
    page = told(said(look_at("audit")))
    assert "Verified up to #3" in page
    assert "by `penstock audit verify`" in page
    chains.tamper(sqlite_url, change(2, actor="mallory"))
    assert CliRunner().invoke(app, ["audit", "verify"]).exit_code != 0
    assert "row 2 of tenant `acme`" in told(said(look_at("audit")))


def _rehash(number: int, **values: str) -> Tamper:
    def doing(connection: Any) -> None:
        change(number, **values)(connection)
        change(number, hash=expected_hash(chains.rows(connection)[number - 1]))(connection)

    return doing


def _head_of_another(connection: Any) -> None:
    connection.execute(update(audit_heads).values(hash="x" * 64))


def _sql(statement: str) -> Tamper:
    def doing(connection: Any) -> None:
        connection.exec_driver_sql(statement)

    return doing


ATTACKS: dict[str, tuple[Tamper, str]] = {
    "a row was edited": (change(2, actor="mallory"), "row 2 of tenant `acme`"),
    "a row was edited and hashed anew": (_rehash(2, actor="mallory"), "row 3 of tenant `acme`"),
    "a row was deleted": (remove(3), "row 3 was deleted before it"),
    "the first was deleted": (remove(1), "rows 1 to 1 before it were deleted"),
    "the tail was cut": (remove(4, 5), "rows 4 to 5 were deleted after it"),
    "the head was edited": (_head_of_another, "the head of the chain was changed: it is at 5"),
    "the head was set back": (set_head(3), "the head of the chain was changed: it is at 3"),
    "the head was deleted": (chains.remove_head, "the head of the chain was deleted"),
    "a detail holds markdown": (change(2, detail="[x](javascript:1)<b>"), "row 2 of tenant"),
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda name: name.replace(" ", "_"))
@pytest.mark.parametrize("is_known", [False, True], ids=["new", "verified_before"])
def test_it_is_said_where_the_chain_is_broken_when(
    desk: Project, sqlite_url: str, attack: str, *, is_known: bool
) -> None:
    chains.tell(desk.store, *"abcde")
    if is_known:
        verify_all()
    doing, where = ATTACKS[attack]
    chains.tamper(sqlite_url, doing)
    page = verify_all()
    assert "The chain is broken" in page
    assert where in told(page)
    # Whoever looks next sees it too, without verifying.
    assert "The chain is broken" in said(look_at("audit"))
    assert where in told(said(look_at("audit")))


def test_chain_that_ends_otherwise_than_its_head_is_broken_at_first_sight(
    desk: Project, sqlite_url: str
) -> None:
    chains.tell(desk.store, *"abcde")
    verify_all()
    chains.tamper(sqlite_url, remove(5))
    assert "is not its last event" in said(look_at("audit"))


def test_row_that_was_verified_and_is_another_now_is_found_by_looking_on(
    desk: Project, sqlite_url: str
) -> None:
    chains.tell(desk.store, *"abc")
    verify_all()
    chains.tell(desk.store, *"de")
    chains.tamper(sqlite_url, lambda connection: chains.rewrite(connection, actor="mallory"))
    app = press(look_at("audit"), "Verify what came since #3")
    assert "row 3 of tenant `acme`: it is not the row that was verified" in told(said(app))


def test_what_is_wrong_stays_said_until_all_of_it_was_looked_at(
    desk: Project, sqlite_url: str
) -> None:
    chains.tell(desk.store, *"abcde")
    (second,) = [row for row in _rows(desk) if row.number == 2]
    chains.tamper(sqlite_url, change(2, actor="mallory"))
    assert "Verified up to #1" in verify_all()
    app = look_at("audit")
    assert not any(each.label.startswith("Verify what came") for each in app.button)
    chains.tamper(sqlite_url, change(2, actor=second.actor))
    assert "Verified up to #5" in verify_all()
    assert "broken" not in said(look_at("audit"))


def _rows(desk: Project) -> list[ChainedEvent]:
    return desk.store.read_blocking(lambda tx: list(audit.events(tx, "acme")))


def test_run_that_was_changed_beside_the_chain_is_found(desk: Project, sqlite_url: str) -> None:
    run_id = chains.live_through(desk.store)
    assert "Verified up to" in verify_all()
    chains.do(sqlite_url, _sql("UPDATE runs SET epoch = 7"))
    page = told(verify_all())
    assert "The chain is broken" in page
    assert f"run `{run_id}` is succeeded at epoch 7 in the store" in page


def test_missing_triggers_are_said(desk: Project, sqlite_url: str) -> None:
    chains.tell(desk.store, "a")
    chains.do(sqlite_url, _sql("DROP TRIGGER tr_audit_events_update"))
    assert "tr_audit_events_update is missing" in told(said(look_at("audit")))


def test_shipments_and_their_failures_are_said(desk: Project) -> None:
    chains.tell(desk.store, "a")
    assert "No head was signed" in said(look_at("audit"))
    head = desk.store.read_blocking(lambda tx: audit.head(tx, "acme"))
    assert head is not None
    to = "https://log.example.org"
    desk.store.write_blocking(lambda tx: marks.record_export(tx, [head], at=NOW, to=to))
    page = told(said(look_at("audit")))
    assert "Head #1 was signed and written out" in page
    assert "to https://log.example.org" in page
    desk.store.write_blocking(
        lambda tx: marks.record_export_failure(
            tx, [head], at=NOW, to=to, why="the URL answered 500"
        )
    )
    page = told(said(look_at("audit")))
    assert "could not be written out" in page
    assert "the URL answered 500" in page


def test_chain_is_held_against_signed_heads_where_they_are_at_hand(
    desk: Project, sqlite_url: str, tmp_path: Path
) -> None:
    chains.tell(desk.store, *"abc")
    head = desk.store.read_blocking(lambda tx: audit.head(tx, "acme"))
    assert head is not None
    make_key(tmp_path / "audit.key")
    heads = tmp_path / "heads.jsonl"
    heads.write_text(f"{HeadSigner(tmp_path / 'audit.key').sign(head, NOW)}\n")
    with open_pages(sqlite_url, audit_heads=str(heads), audit_key=tmp_path / "audit.key.pub"):
        assert "Signed heads agree up to #3" in verify_all()
        chains.tamper(sqlite_url, lambda connection: chains.rewrite(connection, actor="mallory"))
        assert "it is not the row that was signed" in told(verify_all())


def test_events_are_searched_and_paged_by_number(desk: Project) -> None:
    chains.tell(desk.store, *["a"] * 60, "b")
    app = look_at("audit")
    assert cells(app, 0)["#"] == list(range(61, 11, -1))
    app = next(each for each in app.button if each.label == "Older").click().run()
    assert cells(app, 0)["#"] == list(range(11, 0, -1))
    assert cells(look_at("audit", action="b"), 0)["#"] == [61]
    assert "No event fits" in said(look_at("audit", actor="nobody"))


def test_event_is_shown_whole_with_its_hashes(desk: Project) -> None:
    run_id = chains.live_through(desk.store)
    opened = next(row for row in _rows(desk) if row.action == "gate.opened")
    app = look_at("audit", event=str(opened.number))
    page = said(app)
    assert opened.hash in page
    assert opened.previous in page
    assert "its hash fits, and it follows the one before" in page
    assert not app.exception
    assert run_id == opened.run_id
    assert "There is no event #999" in said(look_at("audit", event="999"))


def test_event_that_was_changed_says_so_when_it_is_opened(desk: Project, sqlite_url: str) -> None:
    chains.tell(desk.store, *"abc")
    chains.tamper(sqlite_url, change(2, detail="[x](javascript:1)<script>"))
    app = look_at("audit", event="2")
    assert "was changed after it was written" in said(app)
    assert not app.exception
    wanted = EventFilter(tenant="acme")
    assert json.loads(event_lines(desk.store, wanted, limit=9).splitlines()[1])[
        "detail"
    ].startswith("[x]")


HOSTILE = "<img src=x onerror=alert(1)> [click](http://evil.example) **bold** :red[x] $x$"


def test_words_of_others_are_words(desk: Project) -> None:
    event = AuditEvent(
        tenant="acme",
        at=NOW,
        actor=HOSTILE,
        action="gate.voted",
        run_id=None,
        detail={HOSTILE: HOSTILE, "gate": HOSTILE},
        reason=HOSTILE,
    )
    desk.store.write_blocking(lambda tx: audit.append(tx, event))
    app = look_at("audit", event="1")
    assert not app.exception
    marked = [str(part.value) for part in [*app.markdown, *app.title, *app.caption]]
    for text in marked:
        for sign in ("[click](", "<img", "**bold**", ":red[x]", "$x$"):
            assert sign not in text.replace(f"\\{sign}", "")
    (table,) = app.table
    assert "[click](" not in str(cast("Any", table.value).to_dict())
    assert [each.value for each in app.text] == [HOSTILE]


def test_erased_texts_show_as_erased(desk: Project) -> None:
    fence = Runs(desk.store).start("one")
    why = AuditEvent(
        tenant="acme",
        at=NOW,
        actor="ann",
        action="run.cancel_asked",
        run_id=fence.run_id,
        detail={},
        reason="it was a secret",
        texts={"input": "more of it"},
    )
    desk.store.write_blocking(lambda tx: audit.append(tx, why))
    number = len(_rows(desk))
    assert "it was a secret" in said(look_at("audit", event=str(number)))
    Runs(desk.store).move(fence, RunStatus.SUCCEEDED)
    desk.store.write_blocking(
        lambda tx: erasure.forget(tx, RunId(fence.run_id), at=NOW, actor="ann")
    )
    page = said(look_at("audit", event=str(number)))
    assert "it was a secret" not in page
    assert page.count("erased") >= 2
    assert "reason erased" in cells(look_at("audit"), 0)["Detail"][-number]


def test_another_tenant_sees_nothing_of_this_one(
    desk: Project, sqlite_url: str, tmp_path: Path
) -> None:
    chains.live_through(desk.store)
    verify_all()
    file = people(tmp_path, '[users.vera]\ntenant = "other"\n')
    with open_pages(sqlite_url, person="vera", tenant="other", people=file):
        assert "Nothing was recorded yet" in said(look_at("audit"))
        assert "There is no event #1" in said(look_at("audit", event="1"))
    with open_pages(sqlite_url, person="vera", people=file):
        page = said(look_at("audit"))
    assert "does not know" in page
    assert "Verified" not in page


def test_what_is_taken_out_can_be_verified_elsewhere(desk: Project) -> None:
    chains.tell(desk.store, *"abcab")
    wanted = EventFilter(tenant="acme", action="a")
    found = [json.loads(line) for line in event_lines(desk.store, wanted, limit=100).splitlines()]
    assert [each["number"] for each in found] == [1, 4]
    for each in found:
        row = next(row for row in _rows(desk) if row.number == each["number"])
        assert (each["hash"], each["previous"]) == (row.hash, row.previous)
    few = event_lines(desk.store, EventFilter(tenant="acme"), limit=2).splitlines()
    assert [json.loads(line)["number"] for line in few] == [4, 5]
