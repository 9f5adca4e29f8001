"""The page of calls in doubt without a browser: what it shows, and what comes of an answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from penstock.checkpoints import gates as waking
from penstock.checkpoints.ledger.doubts import doubt_unsettled
from penstock.checkpoints.schema import gates
from penstock.contracts.effect import DoubtAnswer, Effect, EffectStatus
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.run import RunStatus
from penstock.contracts.tool import EffectClass
from penstock.ui.project import Project
from support.ledgers import Book, new_effect
from support.pages import login, look_at, open_empty, open_strict, said
from support.runs import NOW, Runs

SCHEMA = {
    "type": "object",
    "oneOf": [
        {
            "properties": {"answer": {"enum": ["did_not", "retry", "compensate"]}},
            "required": ["answer"],
        },
        {
            "properties": {"answer": {"const": "happened"}, "result": {"type": "string"}},
            "required": ["answer", "result"],
        },
    ],
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """A room with nothing in it."""
    with open_empty(tmp_path) as opened:
        yield opened


@pytest.fixture
def book(desk: Project) -> Book:
    return Book.of(desk.store)


def doubt(desk: Project, key: str = "call-1", **more: Any) -> Effect:
    """Have a call be in doubt, and its run wait."""
    runs, book = Runs(desk.store), Book.of(desk.store)
    fence = runs.start(key)
    new = new_effect(fence, key, **more)
    effect = book.doubt(book.begun(new, fence), new)
    schema = update(gates).where(gates.c.effect_key == key).values(answer_schema=json.dumps(SCHEMA))
    desk.store.write_blocking(lambda connection: connection.execute(schema))
    runs.park(fence)
    return effect


def gate_of(book: Book, key: str = "call-1") -> Gate:
    return book.gates(key)[-1]


@pytest.mark.usefixtures("desk")
def test_empty_page_says_what_would_appear_and_what_to_do() -> None:
    app = look_at("doubt")
    assert "In doubt (0)" in said(app)
    assert "Nothing is in doubt" in said(app)
    assert "appears here" in said(app)
    assert not app.exception


def test_page_lists_calls_with_why_they_are_in_doubt(desk: Project) -> None:
    doubt(desk, "one")
    doubt(desk, "two", margin_s=600)
    told = said(look_at("doubt"))
    assert "In doubt (2)" in told
    assert "the answer was lost" in told
    assert "waits for an answer" in told
    assert "may still happen for" in told


def test_one_call_shows_its_evidence(desk: Project, book: Book) -> None:
    effect = doubt(desk, effect=EffectClass.PROBE, can_be_looked_up=True)
    book.looked_up(effect)
    app = look_at("doubt", effect=effect.key)
    told = said(app)
    assert "Did `pay` happen?" in told
    assert "Why nobody can know" in told
    assert "only its service knows" in told
    assert "asked once" in told
    assert "could not tell: down" in told
    assert "Its probe is asked in" in told
    assert "looked up, without an answer" in told
    shown = str([table.value for table in app.table])
    assert "by worker worker, claim 1" in shown
    assert "pay, version 1" in shown
    assert not app.exception


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (DoubtAnswer.HAPPENED, EffectStatus.SUCCEEDED),
        (DoubtAnswer.DID_NOT, EffectStatus.FAILED),
        (DoubtAnswer.RETRY, EffectStatus.FAILED),
        (DoubtAnswer.COMPENSATE, EffectStatus.IN_DOUBT),
    ],
)
def test_each_answer_says_of_the_call_what_it_means(
    desk: Project, book: Book, answer: DoubtAnswer, status: EffectStatus
) -> None:
    effect = doubt(desk)
    app = look_at("doubt", effect=effect.key)
    app = app.radio(key=f"doubt-{gate_of(book).id}").set_value(answer).run()
    if answer is DoubtAnswer.HAPPENED:
        app.text_input(key=f"result-{gate_of(book).id}").input("receipt 7")
    app = next(each for each in app.button if each.label.startswith("Answer: ")).click().run()
    assert "Sent." in said(app)
    assert "Nothing is to be answered any more" in said(app)
    found = book.get()
    assert (found.status, found.wants_undoing) == (status, answer is DoubtAnswer.COMPENSATE)
    assert found.result == ('"receipt 7"' if answer is DoubtAnswer.HAPPENED else None)
    assert gate_of(book).decided_by == login()


def test_answer_that_comes_second_is_not_sent_and_says_so(desk: Project, book: Book) -> None:
    effect = doubt(desk)
    app = look_at("doubt", effect=effect.key)
    app = app.radio(key=f"doubt-{gate_of(book).id}").set_value(DoubtAnswer.RETRY).run()
    book.answer(effect, DoubtAnswer.DID_NOT, by="olga")
    app = next(each for each in app.button if each.label.startswith("Answer: ")).click().run()
    assert "olga" in said(app)
    assert "Nothing is to be answered any more" in said(app)
    assert gate_of(book).decided_by == "olga"
    assert not book.get().error_retryable


def test_nothing_is_answered_while_the_call_may_still_happen(desk: Project) -> None:
    app = look_at("doubt", effect=doubt(desk, margin_s=600).key)
    assert "Then it can be answered" in said(app)
    assert not app.radio


def test_who_is_no_operator_looks_on(desk: Project, tmp_path: Path) -> None:
    effect = doubt(desk)
    with open_strict(desk, tmp_path, "vera"):
        app = look_at("doubt", effect=effect.key)
        assert "answered by an operator" in said(app)
        assert not app.radio
    with open_strict(desk, tmp_path, "olga"):
        assert look_at("doubt", effect=effect.key).radio


def test_look_up_is_offered_where_there_is_a_probe_and_wakes_the_run(
    desk: Project, book: Book
) -> None:
    unprobed = doubt(desk, "plain")
    page = look_at("doubt", effect=unprobed.key)
    assert not [each for each in page.button if "Look it" in each.label]
    effect = doubt(desk, "probed", effect=EffectClass.PROBE, can_be_looked_up=True)
    book.looked_up(effect, next_s=600)
    app = look_at("doubt", effect=effect.key)
    app = next(each for each in app.button if each.label == "Look it up now").click().run()
    assert "A worker looks it up" in said(app)
    gate = gate_of(book, "probed")
    assert gate.status is GateStatus.OPEN
    assert gate.wakes_at is not None
    (due,) = desk.store.write_blocking(lambda tx: waking.due(tx, limit=9))
    assert due == effect.run_id


def test_what_a_cancelled_run_has_left_is_answered_by_what_can_still_be_said(
    desk: Project, book: Book
) -> None:
    runs = Runs(desk.store)
    fence = runs.start("one")
    book.begun(new_effect(fence), fence)
    runs.move(fence, RunStatus.CANCELLED)
    desk.store.write_blocking(lambda tx: doubt_unsettled(tx, fence.run_id, at=NOW, actor="worker"))
    app = look_at("doubt", effect="call-1")
    radio = app.radio(key=f"doubt-{gate_of(book).id}")
    assert radio.options == ["It happened", "It did not happen"]
    assert "Its run was cancelled" in said(app)
    app = radio.set_value(DoubtAnswer.DID_NOT).run()
    app = next(each for each in app.button if each.label.startswith("Answer: ")).click().run()
    assert "Its run is over, and stays as it is" in said(app)
    assert book.status() is EffectStatus.FAILED
    assert not app.exception


def test_what_was_resolved_is_told_with_who_said_what(desk: Project, book: Book) -> None:
    book.answer(doubt(desk, "one"), DoubtAnswer.RETRY, by="olga")
    book.succeed(doubt(desk, "two"))
    (table,) = look_at("doubt").dataframe
    rows: Any = table.value
    assert set(zip(rows["Said"], rows["By"], strict=True)) == {
        ("try it again", "olga"),
        ("it happened", "found out by worker"),
    }


@pytest.mark.usefixtures("desk")
def test_unknown_call_is_a_sentence() -> None:
    app = look_at("doubt", effect="nothing")
    assert "no call of tenant" in said(app)
    assert not app.exception
