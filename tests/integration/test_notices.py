"""What people are to be told, in the store: due, taken, sent, tried again, given up."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection

from penstock.checkpoints import Store, gates
from penstock.checkpoints.gates import notices
from penstock.checkpoints.runs import get
from penstock.checkpoints.schema import notices as rows
from penstock.contracts.gate import Notice, NoticeCounts, NoticeKind, Question
from penstock.contracts.ids import GateId
from support.approvals import open_approval, pass_time, reject
from support.ledgers import Book, new_effect
from support.runs import NOW, Runs

HOUR_S = 3600.0


def take(store: Store, *, limit: int = 10) -> Sequence[Notice]:
    return store.write_blocking(lambda connection: notices.take(connection, limit=limit))


def fail(store: Store, notice: Notice, *, told: Sequence[str] = ()) -> None:
    store.write_blocking(
        lambda connection: notices.record_failure(
            connection, notice, why="it was closed", delivered=told
        )
    )


def stored(store: Store) -> Sequence[Mapping[str, Any]]:
    def query(connection: Connection) -> Sequence[Mapping[str, Any]]:
        found = connection.execute(rows.select().order_by(rows.c.id)).mappings()
        return [dict(row) for row in found]

    return store.read_blocking(query)


def test_each_group_is_told_that_a_gate_opened_and_later_that_it_expires(
    store: Store, runs: Runs
) -> None:
    approvals = {"finance": 2, "legal": 1}
    open_approval(store, runs.start("one"), approvals=approvals, expires_s=4 * HOUR_S)
    opened = take(store)
    assert [(one.kind, one.group) for one in opened] == [
        (NoticeKind.OPENED, "finance"),
        (NoticeKind.OPENED, "legal"),
    ]
    for notice in opened:
        store.write_blocking(
            lambda connection, notice=notice: notices.record_sent(
                connection, notice, outcome="sent"
            )
        )
    pass_time(store, 3.1 * HOUR_S)
    assert take(store) == []
    pass_time(store, 0.2 * HOUR_S)
    assert {(one.kind, one.group) for one in take(store)} == {
        (NoticeKind.EXPIRING, "finance"),
        (NoticeKind.EXPIRING, "legal"),
    }


def test_operators_are_told_of_what_no_policy_gives_to_a_group(store: Store, runs: Runs) -> None:
    fence = runs.start("one")
    asked = Question(id=GateId("a" * 32), question='"mood?"', answer_schema=None)
    store.write_blocking(
        lambda tx: gates.open_questions(tx, get(tx, fence.run_id), [asked], at=NOW)
    )
    book = Book.of(store)
    new = new_effect(fence)
    book.doubt(book.begun(new, fence), new)
    opened = take(store)
    assert [(one.kind, one.group) for one in opened] == [(NoticeKind.OPENED, "operators")] * 2
    assert len({one.gate_id for one in opened}) == 2


@pytest.mark.parametrize(("expires_s", "count"), [(299.0, 1), (301.0, 2)])
def test_of_a_gate_with_a_very_short_life_nobody_is_warned(
    store: Store, runs: Runs, expires_s: float, count: int
) -> None:
    open_approval(store, runs.start("one"), expires_s=expires_s)
    assert len(stored(store)) == count


def test_whoever_a_gate_is_escalated_to_is_told(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"), escalates_s=60, escalates_to="board")
    take(store)
    pass_time(store, 61)
    store.write_blocking(
        lambda connection: gates.escalate(connection, limit=10, at=NOW, actor="test")
    )
    assert (NoticeKind.ESCALATED, "board") in {(one.kind, one.group) for one in take(store)}


def test_a_notice_is_taken_by_one_of_two_who_take_at_once(
    database_url: str, store: Store, runs: Runs
) -> None:
    fence = runs.start("one")
    for number in range(1, 9):
        open_approval(store, fence, number=number)
    barrier = Barrier(2)

    def work(taker: Store) -> list[int]:
        barrier.wait()
        found: list[int] = []
        while taken := take(taker, limit=1):
            found += [notice.id for notice in taken]
        return found

    with Store.open(database_url) as other, ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(work, [store, other])
    assert len(ours + theirs) == len({*ours, *theirs}) == 8


def test_what_was_taken_and_never_heard_of_again_is_taken_again(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    (first,) = take(store)
    pass_time(store, notices.TAKEN_S - 10)
    assert take(store) == []
    pass_time(store, 10)
    (second,) = take(store)
    assert (second.id, first.attempt_count, second.attempt_count) == (first.id, 1, 2)


def test_the_waits_grow_and_come_to_an_end(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"), expires_s=24 * HOUR_S)
    for attempt in range(1, notices.ATTEMPT_LIMIT + 1):
        (notice,) = take(store)
        assert notice.attempt_count == attempt
        fail(store, notice)
        wait_s = notices.FIRST_WAIT_S * 2 ** (attempt - 1)
        pass_time(store, wait_s - 10)
        assert take(store) == []
        pass_time(store, 10)
    assert take(store) == []
    assert stored(store)[0]["outcome"] == "given up: it was closed"


def test_what_nobody_says_anything_of_is_given_up_in_the_end(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    for _ in range(notices.ATTEMPT_LIMIT):
        assert len(take(store)) == 1
        pass_time(store, notices.TAKEN_S)
    assert take(store) == []
    assert stored(store)[0]["outcome"].startswith("given up: ")


def test_who_was_told_already_is_remembered(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    (notice,) = take(store)
    fail(store, notice, told=["b"])
    pass_time(store, notices.FIRST_WAIT_S)
    (again,) = take(store)
    fail(store, again, told=["a"])
    pass_time(store, 2 * notices.FIRST_WAIT_S)
    (last,) = take(store)
    assert last.delivered == {"a", "b"}


def test_a_failure_is_not_heard_from_whoever_has_lost_the_notice(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    (lost,) = take(store)
    pass_time(store, notices.TAKEN_S)
    take(store)
    before = stored(store)
    fail(store, lost, told=["a"])
    assert stored(store) == before


def test_that_it_was_sent_is_heard_from_whoever_has_sent_it(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    (lost,) = take(store)
    pass_time(store, notices.TAKEN_S)
    (taken,) = take(store)
    store.write_blocking(lambda connection: notices.record_sent(connection, lost, outcome="sent"))
    fail(store, taken)
    assert stored(store)[0]["outcome"] == "sent"
    assert stored(store)[0]["closed_at"] is not None


def test_nobody_is_told_of_a_gate_that_was_closed_before(store: Store, runs: Runs) -> None:
    gate = open_approval(store, runs.start("one"))
    reject(store, gate)
    assert take(store) == []
    opened, expiring = stored(store)
    assert opened["outcome"] == "the gate does not ask any more"
    assert expiring["closed_at"] is None


def test_nobody_is_told_of_a_gate_whose_time_is_over(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"), expires_s=120)
    pass_time(store, 121)
    assert take(store) == []


def test_of_the_notices_that_came_to_nothing_a_bounded_number_is_closed_at_a_time(
    store: Store, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "DROP_LIMIT", 2)
    fence = runs.start("one")
    for number in (1, 2, 3):
        reject(store, open_approval(store, fence, number=number, expires_s=120))
    open_approval(store, fence, number=4)
    (notice,) = take(store)
    assert int(notice.gate_id, 16) == 4
    assert sum(row["closed_at"] is not None for row in stored(store)) == 2
    take(store)
    assert sum(row["closed_at"] is not None for row in stored(store)) == 3
    assert not store.read_blocking(notices.any_due)


def test_it_is_counted_what_waits_and_what_was_given_up_at_gates_that_ask(
    store: Store, runs: Runs
) -> None:
    def counts() -> NoticeCounts:
        return store.read_blocking(lambda connection: notices.counts(connection, tenant="acme"))

    gate = open_approval(store, runs.start("one"), expires_s=24 * HOUR_S)
    assert counts() == NoticeCounts(due=1, given_up=0)
    for _ in range(notices.ATTEMPT_LIMIT):
        (notice,) = take(store)
        fail(store, notice)
        pass_time(store, 2 * HOUR_S)
    assert counts() == NoticeCounts(due=0, given_up=1)
    reject(store, gate)
    assert counts() == NoticeCounts(due=0, given_up=0)
