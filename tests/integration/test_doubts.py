"""Calls in doubt as they are listed, and what people and workers said about those that were."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from penstock.checkpoints import Store, ledger
from penstock.checkpoints.schema import effects
from penstock.contracts.effect import DoubtAnswer, Effect, EffectStatus
from penstock.contracts.errors import GateClosed, GateNotReady
from penstock.contracts.gate import GateStatus
from penstock.contracts.inbox import ListedDoubt
from penstock.contracts.run import Fence
from support.ledgers import Book, empty, new_effect
from support.runs import NOW, Runs


@pytest.fixture
def store(shared_store: Store) -> Store:
    """The store that all tests here share, empty."""
    shared_store.write_blocking(empty)
    return shared_store


@pytest.fixture
def book(store: Store) -> Book:
    return Book.of(store)


@pytest.fixture
def fence(runs: Runs) -> Fence:
    return runs.start("thread-1")


def in_doubt(book: Book, fence: Fence, key: str, *, margin_s: float = 0.0) -> Effect:
    """Have a call be in doubt."""
    new = new_effect(fence, key, margin_s=margin_s)
    return book.doubt(book.begun(new, fence), new)


def began(store: Store, effect: Effect, minutes_ago: int) -> None:
    """Have a call have begun so long ago."""
    at = NOW - timedelta(minutes=minutes_ago)
    change = update(effects).where(effects.c.key == effect.key).values(started_at=at)
    store.write_blocking(lambda connection: connection.execute(change))


def listed(store: Store, *, tenant: str = "acme", **page: int) -> list[ListedDoubt]:
    asked = {"limit": 10, **page}
    return list(store.read_blocking(lambda tx: ledger.doubts(tx, tenant=tenant, **asked)))


def test_calls_in_doubt_are_listed_the_oldest_first_with_their_gates(
    store: Store, book: Book, fence: Fence
) -> None:
    for key, minutes in (("young", 1), ("old", 9), ("middle", 5)):
        began(store, in_doubt(book, fence, key), minutes)
    book.begun(new_effect(fence, "under way"), fence)
    found = listed(store)
    assert [each.effect.key for each in found] == ["old", "middle", "young"]
    assert all(each.gate is not None and each.gate.status is GateStatus.OPEN for each in found)
    assert {each.graph for each in found} == {"demo"}
    assert [each.effect.key for each in listed(store, limit=1, offset=1)] == ["middle"]


def test_calls_of_other_tenants_are_not_listed(store: Store, book: Book, fence: Fence) -> None:
    in_doubt(book, fence, "one")
    assert listed(store, tenant="other") == []
    for tenant, count in (("acme", 1), ("other", 0)):
        found = store.read_blocking(lambda tx, of=tenant: ledger.doubt_count(tx, tenant=of))
        assert found == count


def test_what_was_said_about_a_call_is_told_with_who_said_it(
    store: Store, book: Book, fence: Fence
) -> None:
    for key, answer in (
        ("a", DoubtAnswer.DID_NOT),
        ("b", DoubtAnswer.RETRY),
        ("c", DoubtAnswer.HAPPENED),
    ):
        book.answer(in_doubt(book, fence, key), answer, '"paid"', by="olga")
    known = in_doubt(book, fence, "d")
    book.succeed(known)
    found = store.read_blocking(lambda tx: ledger.resolved(tx, tenant="acme", limit=10))
    told = {
        each.listed.gate.effect_key: (each.answer, each.listed.gate.decided_by, each.is_by_person)
        for each in found
    }
    assert told == {
        "a": (DoubtAnswer.DID_NOT, "olga", True),
        "b": (DoubtAnswer.RETRY, "olga", True),
        "c": (DoubtAnswer.HAPPENED, "olga", True),
        "d": (DoubtAnswer.HAPPENED, "worker", False),
    }
    assert {each.tool for each in found} == {"pay"}
    assert listed(store) == []


def test_a_call_that_somebody_wants_undone_is_in_doubt_until_it_is(
    store: Store, book: Book, fence: Fence
) -> None:
    effect = in_doubt(book, fence, "one")
    book.answer(effect, DoubtAnswer.COMPENSATE, by="olga")
    (found,) = listed(store)
    assert found.effect.wants_undoing
    assert found.gate is not None
    assert found.gate.status is GateStatus.DECIDED
    book.compensated(book.get("one"))
    assert listed(store) == []


QUERIES = {
    "doubts": "SELECT key FROM effects WHERE effects.status = 'in_doubt' AND effects.tenant = 'a'"
    " ORDER BY started_at, key LIMIT 9",
    "resolved": "SELECT id FROM gates WHERE gates.kind = 'in_doubt' AND tenant = 'a' AND status ="
    " 'decided' AND closed_at IS NOT NULL ORDER BY closed_at DESC LIMIT 9",
}


@pytest.mark.parametrize("query", QUERIES)
def test_lists_of_doubts_are_served_by_their_indexes(sqlite_url: str, query: str) -> None:
    with Store.open(sqlite_url) as store:
        plan = store.read_blocking(
            lambda tx: tx.execute(text(f"EXPLAIN QUERY PLAN {QUERIES[query]}")).all()
        )
    assert any("_in_doubt" in str(row[-1]) for row in plan), plan


# ---- looking up now ----


def looked(store: Store, book: Book, key: str) -> None:
    (gate,) = book.gates(key)
    store.write_blocking(lambda tx: ledger.request_lookup(tx, gate, at=NOW, by="olga"))


def test_a_run_is_woken_to_look_up_a_call_when_somebody_asks(
    store: Store, book: Book, runs: Runs, fence: Fence
) -> None:
    in_doubt(book, fence, "one")
    runs.park(fence)
    assert runs.due(fence) == []
    looked(store, book, "one")
    assert runs.due(fence) == [fence.run_id]
    assert runs.due(fence) == []
    assert "gate.look_asked" in runs.told(fence)
    assert book.status("one") is EffectStatus.IN_DOUBT


def test_nobody_looks_at_once_while_the_call_may_still_land(
    store: Store, book: Book, runs: Runs, fence: Fence
) -> None:
    in_doubt(book, fence, "one", margin_s=600)
    runs.park(fence)
    with pytest.raises(GateNotReady):
        looked(store, book, "one")
    assert runs.due(fence) == []


def test_what_was_answered_is_not_looked_up(
    store: Store, book: Book, runs: Runs, fence: Fence
) -> None:
    effect = in_doubt(book, fence, "one")
    runs.park(fence)
    book.answer(effect, DoubtAnswer.DID_NOT, by="olga")
    with pytest.raises(GateClosed, match="olga"):
        looked(store, book, "one")
