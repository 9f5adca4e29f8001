"""The ledger's functions, one rule at a time, as they stand between a call and its repetition."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.checkpoints import Store, gates, ledger
from penstock.contracts.effect import DoubtAnswer, EffectStatus
from penstock.contracts.errors import GateClosed, GateNotReady
from penstock.contracts.gate import GateStatus
from penstock.contracts.run import Fence, RunStatus
from penstock.contracts.signals import LeaseLost
from penstock.contracts.tool import EffectClass
from support.ledgers import DEFINITE, FOR_GOOD, Book, empty, new_effect
from support.runs import NOW, Runs

ASKED = [EffectClass.PROBE, EffectClass.UNSAFE]
REPEATED = [
    EffectClass.IDEMPOTENT,
    EffectClass.TRANSACTIONAL,
    EffectClass.KEYED,
]


@pytest.fixture
def store(shared_store: Store) -> Store:
    """The store that all tests here share, empty."""
    shared_store.write_blocking(empty)
    return shared_store


@pytest.fixture
def book(store: Store) -> Book:
    """The ledger of the open store."""
    return Book.of(store)


@pytest.fixture
def fence(runs: Runs) -> Fence:
    """The right to act for a run that is driven."""
    return runs.start("thread-1")


# ---- beginning ----


def test_a_worker_that_lost_its_lease_begins_nothing(book: Book, runs: Runs, fence: Fence) -> None:
    now = runs.take_over(fence)
    with pytest.raises(LeaseLost):
        book.begin(new_effect(fence), fence)
    assert book.begun(new_effect(now), now).attempt == 1


def test_a_call_that_succeeded_is_not_begun_again(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    book.succeed(book.begun(new, fence))
    found = book.refused(new, fence)
    assert (found.status, found.result, found.attempt) == (EffectStatus.SUCCEEDED, '"receipt"', 1)


@pytest.mark.parametrize("effect", ASKED)
def test_a_call_that_was_cut_off_is_in_doubt(book: Book, fence: Fence, effect: EffectClass) -> None:
    new = new_effect(fence, effect=effect)
    book.begun(new, fence)
    found = book.refused(new, fence)
    assert (found.status, found.error_code) == (EffectStatus.IN_DOUBT, "cut_off")
    assert len(book.open_gates()) == 1


@pytest.mark.parametrize("effect", REPEATED)
def test_a_call_that_was_cut_off_is_repeated_where_its_class_allows(
    book: Book, fence: Fence, effect: EffectClass
) -> None:
    new = new_effect(fence, effect=effect)
    book.begun(new, fence)
    assert book.begun(new, fence).attempt == 2
    assert book.gates() == []


def test_a_keyed_call_is_repeated_only_while_its_key_lives(book: Book, fence: Fence) -> None:
    new = new_effect(fence, effect=EffectClass.KEYED, timeout_s=10, margin_s=5, key_lifetime_s=15)
    book.begun(new, fence)
    assert book.refused(new, fence).status is EffectStatus.IN_DOUBT


def test_a_key_that_outlives_the_next_attempt_lets_it_begin(book: Book, fence: Fence) -> None:
    new = new_effect(fence, effect=EffectClass.KEYED, timeout_s=10, margin_s=5, key_lifetime_s=60)
    book.begun(new, fence)
    assert book.begun(new, fence).attempt == 2


@pytest.mark.parametrize("effect", [*ASKED, *REPEATED])
def test_other_arguments_under_a_key_that_was_begun_are_a_conflict_and_a_doubt(
    book: Book, fence: Fence, effect: EffectClass
) -> None:
    book.begun(new_effect(fence, effect=effect), fence)
    found = book.refused(new_effect(fence, effect=effect, arguments="b"), fence)
    assert (found.digest, found.status) == ("a" * 64, EffectStatus.IN_DOUBT)


def test_other_arguments_under_a_key_that_succeeded_are_a_conflict(
    book: Book, fence: Fence
) -> None:
    book.succeed(book.begun(new_effect(fence), fence))
    assert book.refused(new_effect(fence, arguments="b"), fence).digest == "a" * 64


def test_other_arguments_may_follow_where_nothing_happened(book: Book, fence: Fence) -> None:
    book.fail(book.begun(new_effect(fence), fence), FOR_GOOD)
    found = book.begun(new_effect(fence, arguments="b"), fence)
    assert (found.digest, found.attempt) == ("b" * 64, 2)


def test_what_failed_for_good_is_tried_again_only_after_a_redrive(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    book.fail(book.begun(new, fence), FOR_GOOD)
    assert book.refused(new, fence).status is EffectStatus.FAILED
    book.try_again(fence)
    assert book.begun(new, fence).attempt == 2


def test_what_failed_for_now_is_tried_again(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    book.fail(book.begun(new, fence), DEFINITE)
    assert book.begun(new, fence).attempt == 2


# ---- keys of business ----


def test_a_key_of_business_that_is_taken_begins_nothing(book: Book, runs: Runs) -> None:
    one, two = runs.start("thread-1"), runs.start("thread-2")
    book.begun(new_effect(one, business_key="order-7"), one)
    other = new_effect(two, "call-2", business_key="order-7", thread_id="thread-2")
    assert book.refused(other, two).key == "call-1"


def test_a_key_of_business_is_free_when_its_call_has_failed(book: Book, runs: Runs) -> None:
    one, two = runs.start("thread-1"), runs.start("thread-2")
    book.fail(book.begun(new_effect(one, business_key="order-7"), one))
    book.begun(new_effect(two, "call-2", business_key="order-7", thread_id="thread-2"), two)


def test_a_call_is_not_tried_again_when_another_has_its_key_of_business_meanwhile(
    book: Book, runs: Runs
) -> None:
    one, two = runs.start("thread-1"), runs.start("thread-2")
    first = new_effect(one, business_key="order-7")
    book.fail(book.begun(first, one))
    second = new_effect(two, "call-2", business_key="order-7", thread_id="thread-2")
    book.succeed(book.begun(second, two))
    assert book.refused(first, one).key == "call-2"
    assert book.status("call-1") is EffectStatus.FAILED


def test_other_arguments_bring_their_own_key_of_business(book: Book, runs: Runs) -> None:
    one, two = runs.start("thread-1"), runs.start("thread-2")
    book.fail(book.begun(new_effect(one, business_key="order-7"), one))
    book.succeed(book.begun(new_effect(one, arguments="b", business_key="order-8"), one))
    again = new_effect(two, "call-2", business_key="order-8", thread_id="thread-2")
    assert book.refused(again, two).key == "call-1"
    book.begun(new_effect(two, "call-3", business_key="order-7", thread_id="thread-2"), two)


# ---- reports ----


def test_a_report_of_an_older_attempt_counts_for_nothing(book: Book, fence: Fence) -> None:
    new = new_effect(fence, effect=EffectClass.KEYED)
    old = book.begun(new, fence)
    book.begun(new, fence)
    assert book.succeed(old, '"old"') is None
    assert book.fail(old) is None
    book.doubt(old, new)
    assert (book.status(), book.get().attempt) == (EffectStatus.STARTED, 2)
    assert book.gates() == []


def test_a_late_report_settles_the_doubt_and_closes_its_gate(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    begun = book.begun(new, fence)
    book.refused(new, fence)
    settled = book.succeed(begun)
    assert settled is not None
    assert settled.status is EffectStatus.SUCCEEDED
    assert [gate.status for gate in book.gates()] == [GateStatus.DECIDED]


def test_the_report_of_a_worker_that_lost_its_lease_is_knowledge(
    book: Book, runs: Runs, fence: Fence
) -> None:
    begun = book.begun(new_effect(fence), fence)
    runs.take_over(fence)
    assert book.succeed(begun) is not None
    assert book.status() is EffectStatus.SUCCEEDED


def test_a_recorded_result_never_changes(book: Book, fence: Fence) -> None:
    begun = book.begun(new_effect(fence), fence)
    book.succeed(begun)
    assert book.succeed(begun, '"other"') is None
    assert book.fail(begun) is None
    book.doubt(begun, new_effect(fence))
    assert (book.status(), book.get().result) == (EffectStatus.SUCCEEDED, '"receipt"')


def test_what_failed_does_not_succeed_afterwards(book: Book, fence: Fence) -> None:
    begun = book.begun(new_effect(fence), fence)
    book.fail(begun)
    assert book.succeed(begun) is None
    assert book.status() is EffectStatus.FAILED


@pytest.mark.parametrize("effect", REPEATED)
def test_a_failure_after_an_attempt_that_was_left_open_is_not_that_nothing_happened(
    book: Book, fence: Fence, effect: EffectClass
) -> None:
    new = new_effect(fence, effect=effect)
    book.begun(new, fence)
    second = book.begun(new, fence)
    left = book.fail(second, FOR_GOOD)
    assert left is not None
    assert left.status is EffectStatus.STARTED
    third = book.begun(new, fence)
    book.fail(third, FOR_GOOD)
    assert book.status() is EffectStatus.STARTED
    book.doubt(third, new)
    assert book.fail(third, FOR_GOOD) is not None
    assert book.status() is EffectStatus.IN_DOUBT


def test_a_look_up_that_finds_nothing_speaks_of_all_attempts(book: Book, fence: Fence) -> None:
    new = new_effect(fence, effect=EffectClass.KEYED)
    book.begun(new, fence)
    second = book.doubt(book.begun(new, fence), new)
    book.found_nothing(second)
    assert book.status() is EffectStatus.FAILED
    third = book.begun(new, fence)
    book.fail(third, FOR_GOOD)
    assert book.status() is EffectStatus.FAILED


def test_a_large_result_is_read_back_whole(book: Book, fence: Fence) -> None:
    large = '"' + "x" * 100_000 + '"'
    new = new_effect(fence)
    book.succeed(book.begun(new, fence), large)
    assert book.refused(new, fence).result == large


# ---- doubts ----


def test_a_doubt_opens_one_gate(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    begun = book.begun(new, fence)
    book.doubt(begun, new)
    book.doubt(begun, new)
    book.refused(new, fence)
    assert len(book.gates()) == 1


def test_each_attempt_in_doubt_has_a_gate_of_its_own(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    first = book.doubt(book.begun(new, fence), new)
    book.answer(first, DoubtAnswer.RETRY)
    book.doubt(book.begun(new, fence), new)
    assert [gate.status for gate in book.gates()].count(GateStatus.OPEN) == 1
    assert len(book.gates()) == 2


def test_what_became_of_a_call_is_asked_though_its_run_is_over(
    book: Book, runs: Runs, fence: Fence
) -> None:
    new = new_effect(fence)
    doubtful = book.doubt(book.begun(new, fence), new)
    runs.move(fence, RunStatus.CANCELLED)
    assert len(book.open_gates()) == 1
    book.answer(doubtful, DoubtAnswer.HAPPENED, '"by phone"')
    assert book.status() is EffectStatus.SUCCEEDED


def test_a_gate_that_is_there_is_told_of_once(
    book: Book, store: Store, runs: Runs, fence: Fence
) -> None:
    new = new_effect(fence)
    begun = book.begun(new, fence)
    asked: Any = {"answer_schema": "{}", "wakes_at": None, "at": NOW}
    for _ in range(2):
        store.write_blocking(lambda tx: gates.open_doubt(tx, ledger.gate_of(begun), begun, **asked))
    assert runs.told(fence).count("gate.opened") == 1


def test_nobody_decides_before_the_attempt_can_land_no_more(book: Book, fence: Fence) -> None:
    new = new_effect(fence, timeout_s=60)
    doubtful = book.doubt(book.begun(new, fence), new)
    for answer in DoubtAnswer:
        with pytest.raises(GateNotReady):
            book.answer(doubtful, answer, '"by phone"')
    assert book.status() is EffectStatus.IN_DOUBT
    assert len(book.open_gates()) == 1


def test_nobody_decides_about_an_attempt_that_goes_on(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    doubtful = book.doubt(book.begun(new, fence), new)
    book.prolong(doubtful, by_s=60)
    with pytest.raises(GateNotReady):
        book.answer(doubtful, DoubtAnswer.DID_NOT)


@pytest.mark.parametrize(
    ("answer", "becomes", "next_attempt"),
    [
        (DoubtAnswer.HAPPENED, EffectStatus.SUCCEEDED, None),
        (DoubtAnswer.DID_NOT, EffectStatus.FAILED, None),
        (DoubtAnswer.RETRY, EffectStatus.FAILED, 2),
        (DoubtAnswer.COMPENSATE, EffectStatus.IN_DOUBT, None),
    ],
)
def test_an_effect_is_what_a_person_says(
    book: Book, fence: Fence, answer: DoubtAnswer, becomes: EffectStatus, next_attempt: int | None
) -> None:
    new = new_effect(fence)
    doubtful = book.doubt(book.begun(new, fence), new)
    assert book.answer(doubtful, answer, '"by phone"')
    assert book.status() is becomes
    effect, is_begun = book.begin(new, fence)
    assert (effect.attempt if is_begun else None) == next_attempt


def test_the_same_answer_twice_is_one_answer(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    doubtful = book.doubt(book.begun(new, fence), new)
    assert book.answer(doubtful, DoubtAnswer.RETRY)
    book.succeed(book.begun(new, fence))
    assert not book.answer(doubtful, DoubtAnswer.RETRY)
    with pytest.raises(GateClosed):
        book.answer(doubtful, DoubtAnswer.DID_NOT)
    assert book.status() is EffectStatus.SUCCEEDED


@pytest.mark.parametrize("report", [Book.succeed, Book.fail], ids=["happened", "did_not"])
def test_what_is_to_be_undone_is_undone_whatever_is_reported_late(
    book: Book, fence: Fence, report: Callable[..., object]
) -> None:
    new = new_effect(fence)
    doubtful = book.doubt(book.begun(new, fence), new)
    book.answer(doubtful, DoubtAnswer.COMPENSATE)
    assert report(book, doubtful) is None
    assert (book.status(), book.get().wants_undoing) == (EffectStatus.IN_DOUBT, True)
    assert book.compensated(book.get()).status is EffectStatus.COMPENSATED


def test_only_what_a_person_wants_undone_is_undone(book: Book, fence: Fence) -> None:
    new = new_effect(fence)
    doubtful = book.doubt(book.begun(new, fence), new)
    book.compensated(doubtful)
    assert book.status() is EffectStatus.IN_DOUBT


# ---- looking again ----


def test_a_run_goes_on_to_look_once_the_attempt_can_land_no_more(
    book: Book, runs: Runs, fence: Fence
) -> None:
    new = new_effect(fence, effect=EffectClass.PROBE, can_be_looked_up=True)
    book.doubt(book.begun(new, fence), new)
    assert runs.due(fence) == []
    runs.park(fence)
    assert runs.due(fence) == [fence.run_id]
    assert runs.due(fence) == []


def test_nobody_looks_for_an_attempt_that_goes_on(book: Book, runs: Runs, fence: Fence) -> None:
    new = new_effect(fence, effect=EffectClass.PROBE, can_be_looked_up=True)
    doubtful = book.doubt(book.begun(new, fence), new)
    book.prolong(doubtful, by_s=60)
    runs.park(fence)
    assert runs.due(fence) == []
    book.prolong(doubtful, by_s=0)
    assert runs.due(fence) == [fence.run_id]


def test_an_attempt_that_goes_on_wakes_nobody_where_nothing_can_be_looked_up(
    book: Book, runs: Runs, fence: Fence
) -> None:
    new = new_effect(fence)
    doubtful = book.doubt(book.begun(new, fence), new)
    runs.park(fence)
    book.prolong(doubtful, by_s=0)
    assert runs.due(fence) == []


def test_a_look_up_that_could_not_tell_has_the_run_look_again(
    book: Book, runs: Runs, fence: Fence
) -> None:
    new = new_effect(fence, effect=EffectClass.PROBE, can_be_looked_up=True)
    doubtful = book.doubt(book.begun(new, fence), new)
    runs.park(fence)
    runs.due(fence)
    book.looked_up(doubtful, next_s=0)
    assert runs.due(fence) == [fence.run_id]
    assert len(book.open_gates()) == 1


def test_a_gate_is_known_by_the_attempt_that_it_asks_about(book: Book, fence: Fence) -> None:
    new = new_effect(fence, effect=EffectClass.KEYED)
    assert ledger.gate_of(book.begun(new, fence)) != ledger.gate_of(book.begun(new, fence))
