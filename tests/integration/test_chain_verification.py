"""Chains are verified slice by slice, searched by what an index serves, and watched."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.checkpoints import Store, audit
from penstock.checkpoints.audit import marks, queries
from penstock.contracts.audit import AuditEvent, EventFilter
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import NotAllowed
from penstock.contracts.ids import GateId, RunId
from penstock.policies import Directory, OpenDirectory, People
from penstock.runs import audit as runs_audit
from penstock.runs.audit import ChainVerification, Verdict
from penstock.runs.signed_heads import shown_target
from support import chains
from support.chains import change, remove
from support.pages import people
from support.runs import NOW


def begun(
    store: Store, *, is_whole: bool = False, by: str = "ann", known: People | None = None
) -> ChainVerification:
    """Begin to verify the chain."""
    return ChainVerification(
        store,
        known or OpenDirectory(),
        SystemClock(),
        tenant="acme",
        by=by,
        with_="in a test",
        is_whole=is_whole,
    )


def verdict(store: Store, *, is_whole: bool = False) -> tuple[Verdict, int]:
    """Verify the chain; return what was found, and in how many slices."""
    look, slices = begun(store, is_whole=is_whole), 0
    while look.verdict is None:
        look.advance()
        slices += 1
    return look.verdict, slices


def test_chain_is_looked_at_in_slices_that_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_audit, "SLICE_ROWS", 2)
    chains.tell(store, *"abcdefg")
    found, slices = verdict(store)
    assert (found.number, found.is_whole, found.faults) == (7, True, [])
    assert slices == 5
    chains.tell(store, "h")
    found, slices = verdict(store)
    assert (found.number, found.is_whole, slices) == (8, False, 1)


def test_slices_find_what_one_look_finds(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_audit, "SLICE_ROWS", 1)
    chains.tell(store, *"abcdefg")
    chains.tamper(database_url, remove(4), change(6, actor="mallory"))
    found, _ = verdict(store)
    assert [str(each) for each in found.faults] == [
        str(each) for each in chains.verified(store).faults
    ]
    assert found.number == chains.verified(store).number == 3


def test_who_may_not_look_verifies_nothing(store: Store, tmp_path: Path) -> None:
    chains.tell(store, "a")
    known = Directory.load(people(tmp_path, '[users.vera]\ntenant = "other"\n'))
    with pytest.raises(NotAllowed):
        begun(store, by="vera", known=known)


def test_after_a_fault_all_is_looked_at(store: Store, database_url: str) -> None:
    chains.tell(store, *"abc")
    chains.tamper(database_url, change(2, actor="mallory"))
    assert verdict(store)[0].number == 1
    assert begun(store).is_whole


def test_row_that_was_verified_must_be_the_same(store: Store, database_url: str) -> None:
    chains.tell(store, *"abc")
    verdict(store)
    chains.tamper(database_url, lambda tx: chains.rewrite(tx, actor="mallory"))
    found, _ = verdict(store)
    assert found.is_whole
    assert "row 3 of tenant `acme`: it is not the row that was verified" in str(found.faults[0])


def test_what_retention_took_since_is_not_missing(store: Store) -> None:
    chains.tell(store, *"abc")
    verdict(store)
    chains.tell(store, *"de")
    later = NOW + timedelta(days=1)
    store.write_blocking(
        lambda tx: marks.cut(tx, "acme", before=later, limit=4, at=later, actor="w")
    )
    found, _ = verdict(store)
    assert (found.faults, found.number, found.is_whole) == ([], 6, True)


def test_who_verified_what_and_when_is_noted(store: Store) -> None:
    chains.tell(store, *"abc")
    found, _ = verdict(store)
    watch = store.read_blocking(lambda tx: marks.watch(tx, "acme"))
    assert watch is not None
    noted = watch.verification
    assert noted is not None
    assert (noted.number, noted.by, noted.at) == (3, "ann, in a test", found.at)
    assert noted.whole_at == found.at
    assert noted.fault is None
    assert found.is_recorded


def test_where_heads_go_is_said_without_what_a_url_hides() -> None:
    assert shown_target("https://ann:secret@log.example.org:8443/a/secret?b=secret") == (
        "https://log.example.org:8443"
    )
    assert shown_target("/var/heads.jsonl") == "/var/heads.jsonl"


# ---- searching ----


def told(store: Store, *events: tuple[str, dict[str, Any]], tenant: str = "acme") -> None:
    """Record events with details, a minute apart."""
    for number, (actor, detail) in enumerate(events):
        event = AuditEvent(
            tenant=tenant,
            at=NOW + timedelta(minutes=number),
            actor=actor,
            action=str(detail.pop("action", "call.asked")),
            run_id=None,
            detail=detail,
        )
        store.write_blocking(lambda tx, event=event: audit.append(tx, event))


def numbers(store: Store, *, before: int | None = None, **wanted: Any) -> Sequence[int]:
    """Return the numbers of the events that fit."""
    sought = EventFilter(tenant="acme", **wanted)
    found = store.read_blocking(lambda tx: queries.page(tx, sought, before=before, limit=50))
    return [event.number for event in found.events]


def test_events_are_found_by_each_filter(store: Store) -> None:
    told(
        store,
        ("ann", {"tool": "pay"}),
        ("bob", {"tool": "Pay"}),
        ("ann", {"tool": 'p"%_\\'}),
        ("ann", {"action": "gate.voted"}),
    )
    assert numbers(store) == [4, 3, 2, 1]
    assert numbers(store, actor="ann") == [4, 3, 1]
    assert numbers(store, action="gate.voted") == [4]
    assert numbers(store, action="call.asked", actor="ann") == [3, 1]
    assert numbers(store, tool="pay") == [1]
    assert numbers(store, tool='p"%_\\') == [3]
    assert numbers(store, tool="%") == []
    assert numbers(store, before=3) == [2, 1]
    assert numbers(store, since=NOW + timedelta(minutes=2)) == [4, 3]
    assert numbers(store, until=NOW + timedelta(minutes=2)) == [2, 1]
    assert numbers(store, actor="nobody") == []


def test_events_of_a_run_and_of_a_gate_are_found(store: Store) -> None:
    run_id = RunId(chains.live_through(store))
    chains.tell(store, "a")
    of_run = numbers(store, run_id=run_id)
    assert of_run[0] == len(of_run) > 5
    gate = GateId("f" * 32)
    rows = store.read_blocking(lambda tx: list(audit.events(tx, "acme")))
    wanted = [row.number for row in rows if row.details.get("gate") == gate][::-1]
    assert numbers(store, gate_id=gate) == wanted
    find = store.read_blocking
    assert find(lambda tx: queries.run_by_prefix(tx, "acme", run_id[:13])) == run_id
    assert find(lambda tx: queries.gate_by_prefix(tx, "acme", "fff")) == (gate, run_id)
    assert find(lambda tx: queries.run_by_prefix(tx, "other", run_id)) is None
    assert find(lambda tx: queries.gate_by_prefix(tx, "other", gate)) is None


def test_events_of_another_tenant_are_not_found(store: Store) -> None:
    told(store, ("ann", {"tool": "pay"}), ("ann", {"tool": "pay"}))
    told(store, ("ann", {"tool": "pay"}), tenant="other")
    wanted = EventFilter(tenant="other")
    found = store.read_blocking(lambda tx: queries.page(tx, wanted, limit=50))
    assert [(event.tenant, event.number) for event in found.events] == [("other", 1)]
    assert store.read_blocking(lambda tx: queries.get(tx, "other", 2)) is None


def test_page_says_how_far_it_has_looked(store: Store) -> None:
    told(store, ("ann", {"tool": "rare"}), *[("bob", {"tool": "pay"}) for _ in range(9)])
    wanted = EventFilter(tenant="acme", tool="rare")
    page = store.read_blocking(lambda tx: queries.page(tx, wanted, limit=5, window=4))
    assert (page.events, page.looked_to, page.is_end) == ([], 7, False)
    page = store.read_blocking(
        lambda tx: queries.page(tx, wanted, before=page.looked_to, limit=5, window=6)
    )
    assert ([event.number for event in page.events], page.is_end) == ([1], True)


def test_events_that_stand_out_of_the_order_of_time_are_found(store: Store) -> None:
    quiet: list[tuple[str, dict[str, Any]]] = [("ann", {}) for _ in range(20)]
    told(store, *quiet)
    late = AuditEvent(
        tenant="acme",
        at=NOW + timedelta(minutes=2, seconds=30),
        actor="slow",
        action="run.claimed",
        run_id=None,
        detail={},
    )
    store.write_blocking(lambda tx: audit.append(tx, late))
    since, until = NOW + timedelta(minutes=2), NOW + timedelta(minutes=3)
    assert numbers(store, since=since, until=until) == [21, 3]


def test_actions_are_those_that_the_chain_tells_of(store: Store) -> None:
    chains.tell(store, "b", "a", "b")
    chains.tell(store, "c", tenant="other")
    assert store.read_blocking(lambda tx: queries.actions(tx, "acme")) == ["a", "b"]
