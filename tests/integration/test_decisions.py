"""What pages ask of the decisions: how often each rule decided, and about which calls."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from penstock.checkpoints import Store, decisions
from penstock.contracts.ids import RunId
from penstock.contracts.policy import DecisionTally, RecordedDecision, Verdict
from support.decided import decided, record
from support.runs import NOW, Runs

WEEK = NOW - timedelta(days=7)


@pytest.fixture
def run_id(runs: Runs) -> RunId:
    """A run of the graph `demo`."""
    return runs.start("one").run_id


def tallied(store: Store, graph: str = "demo", tenant: str = "acme") -> Sequence[DecisionTally]:
    """Return the tallies of a week."""
    return store.read_blocking(
        lambda tx: decisions.tallies(tx, graph, tenant=tenant, since=WEEK),
    )


def counted(found: Sequence[DecisionTally]) -> Mapping[tuple[str, ...], int]:
    """Return how many calls each verdict with its reasons was about."""
    return {(each.decision.verdict, *each.decision.reasons): each.call_count for each in found}


def last(store: Store, **more: int) -> Sequence[RecordedDecision]:
    """Return the last decisions about the calls of a week."""
    limit = more.get("limit", 100)
    return store.read_blocking(
        lambda tx: decisions.last_of_calls(tx, "demo", tenant="acme", since=WEEK, limit=limit)
    )


def test_a_call_counts_once_for_what_was_said_of_it(store: Store, run_id: RunId) -> None:
    record(
        store,
        *(decided(run_id, Verdict.ASK, "big", call="a") for _ in range(3)),
        decided(run_id, Verdict.ASK, "big", call="b"),
        decided(run_id, Verdict.DENY, "big", call="b"),
        decided(run_id, Verdict.ALLOW, "small", call="c"),
    )
    assert counted(tallied(store)) == {("ask", "big"): 2, ("deny", "big"): 1, ("allow", "small"): 1}


def test_tallies_are_of_one_graph_one_tenant_and_their_time(store: Store, run_id: RunId) -> None:
    record(
        store,
        decided(run_id, Verdict.ALLOW, "mine", call="a"),
        decided(run_id, Verdict.ALLOW, "mine", call="b", graph="other"),
        decided(run_id, Verdict.ALLOW, "mine", call="c", tenant="other"),
        decided(run_id, Verdict.ALLOW, "mine", call="d", at=WEEK - timedelta(seconds=1)),
    )
    assert counted(tallied(store)) == {("allow", "mine"): 1}


def test_calls_that_a_tally_counted_are_found_and_no_others(store: Store, run_id: RunId) -> None:
    record(
        store,
        decided(run_id, Verdict.ASK, "big", call="a"),
        # A group may be called like a rule: `finance` is not among what decided.
        decided(run_id, Verdict.ASK, "big", call="b", at=NOW + timedelta(seconds=1)),
        decided(run_id, Verdict.DENY, "finance", call="c"),
        decided(run_id, Verdict.ASK, "big", call="d", tenant="other"),
    )
    wanted = [each for each in tallied(store) if "big" in each.decision.reasons]
    found = store.read_blocking(
        lambda tx: decisions.of_tallies(tx, "demo", wanted, tenant="acme", since=WEEK, limit=9)
    )
    assert [each.effect_key for each in found] == ["b", "a"]


def test_no_tallies_are_no_calls(store: Store, run_id: RunId) -> None:
    record(store, decided(run_id, Verdict.ASK, "big"))
    assert not store.read_blocking(
        lambda tx: decisions.of_tallies(tx, "demo", [], tenant="acme", since=WEEK, limit=9)
    )


def test_of_each_call_the_last_decision_counts_in_the_order_of_calls(
    store: Store, run_id: RunId
) -> None:
    record(
        store,
        decided(run_id, Verdict.ASK, "big", call="a"),
        decided(run_id, Verdict.ALLOW, "small", call="b"),
        decided(run_id, Verdict.DENY, "big", call="a", at=NOW + timedelta(seconds=5)),
    )
    assert [(each.effect_key, each.decision.verdict) for each in last(store)] == [
        ("b", Verdict.ALLOW),
        ("a", Verdict.DENY),
    ]


def test_where_there_are_too_many_calls_the_newest_are_taken(store: Store, run_id: RunId) -> None:
    record(
        store,
        *(
            decided(run_id, Verdict.ALLOW, call=str(number), at=NOW + timedelta(seconds=number))
            for number in range(5)
        ),
    )
    assert [each.effect_key for each in last(store, limit=2)] == ["3", "4"]
