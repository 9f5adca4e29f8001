"""Which shelf of the inbox a gate lies on, for whom, and in which order."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from penstock.checkpoints import Store, gates
from penstock.checkpoints import runs as run_rows
from penstock.checkpoints.schema import gates as gate_table
from penstock.checkpoints.schema import runs as run_table
from penstock.checkpoints.statements import database_now
from penstock.contracts.gate import Ballot, Channel, Gate, GateKind, GateStatus, Question, VoteKind
from penstock.contracts.ids import GateId
from penstock.contracts.inbox import GateFilter, RunFilter, Seat, Shelf, Viewer
from penstock.contracts.run import Fence, RunStatus
from penstock.policies import OpenDirectory
from penstock.runs.authorization import viewer_of
from support.approvals import open_approval, pass_time, reject
from support.people import Staff
from support.runs import NOW, Runs

ANYTHING = GateFilter()


class Known(Staff):
    """People whose groups are known, as a file's are."""

    groups = ("finance", "security", "operators", "managers")

    def has(self, group: str, person: str, tenant: str) -> bool:
        """Tell who is in which group of the tenant of these tests."""
        return tenant == "acme" and person in self.in_group.get(group, ())


def viewer(store: Store, person: str) -> Viewer:
    """Return somebody who looks now."""

    def look(tx: Connection) -> Viewer:
        now: datetime = tx.execute(select(database_now(store.dialect))).scalar_one()
        return viewer_of(tx, Known(), person, tenant="acme", now=now)

    return store.read_blocking(look)


def on(store: Store, shelf: Shelf, person: str, wanted: GateFilter = ANYTHING) -> Sequence[str]:
    """Return what lies on somebody's shelf."""
    who = viewer(store, person)
    found = store.read_blocking(lambda tx: gates.shelf(tx, who, shelf, wanted, limit=50))
    count = store.read_blocking(lambda tx: gates.count(tx, who, shelf, wanted))
    assert count == len(found)
    return [each.gate.id for each in found]


def shelf_of(store: Store, gate: Gate, person: str) -> Shelf:
    """Return the one shelf that a gate lies on for somebody."""
    lie = {shelf: on(store, shelf, person) for shelf in Shelf}
    (found,) = [shelf for shelf in Shelf if gate.id in lie[shelf]]
    who = viewer(store, person)
    counts = store.read_blocking(lambda tx: gates.counts(tx, who, ANYTHING))
    assert counts == {shelf: len(there) for shelf, there in lie.items()}
    mine = store.read_blocking(lambda tx: gates.is_mine(tx, who, gate.id))
    assert mine is (found is Shelf.MINE)
    return found


def approve(store: Store, gate: Gate, person: str) -> None:
    ballot = Ballot(
        person=person,
        kind=VoteKind.APPROVE,
        binding=gate.binding or "",
        reason=None,
        channel=Channel.UI,
    )
    store.write_blocking(
        lambda tx: gates.vote(tx, gate.id, ballot, has=lambda _g, _p: True, at=NOW)
    )


def question(store: Store, fence: Fence, *, number: int = 9, acts_for: str = "ada") -> Gate:
    """Have a graph ask something."""
    asked = Question(id=GateId(f"{number:032x}"), question='"why?"', answer_schema=None)

    def change(tx: Connection) -> Gate:
        told = update(run_table).where(run_table.c.id == fence.run_id).values(principal=acts_for)
        tx.execute(told)
        gates.open_questions(tx, run_rows.get(tx, fence.run_id), [asked], at=NOW)
        return gates.get(tx, asked.id)

    return store.write_blocking(change)


@pytest.fixture
def fence(runs: Runs) -> Fence:
    return runs.start("one")


def test_gate_needs_members_of_its_group_and_waits_on_others_for_the_rest(
    store: Store, fence: Fence
) -> None:
    gate = open_approval(store, fence, approvals={"finance": 1})
    assert shelf_of(store, gate, "bob") is Shelf.MINE
    assert shelf_of(store, gate, "sam") is Shelf.OTHERS
    assert shelf_of(store, gate, "olga") is Shelf.OTHERS


def test_gate_that_somebody_has_voted_at_waits_on_their_team(store: Store, fence: Fence) -> None:
    gate = open_approval(store, fence, approvals={"finance": 2})
    approve(store, gate, "bob")
    assert shelf_of(store, gate, "bob") is Shelf.TEAMS
    assert shelf_of(store, gate, "eve") is Shelf.MINE


def test_gate_does_not_need_whoever_its_run_acts_for(store: Store, fence: Fence) -> None:
    gate = open_approval(store, fence, approvals={"finance": 1})
    told = update(gate_table).values(requester="bob")
    store.write_blocking(lambda tx: tx.execute(told))
    assert shelf_of(store, gate, "bob") is Shelf.TEAMS
    store.write_blocking(lambda tx: tx.execute(update(gate_table).values(may_confirm_self=1)))
    assert shelf_of(store, gate, "bob") is Shelf.MINE


def test_edited_call_does_not_need_its_editor(store: Store, fence: Fence) -> None:
    gate = open_approval(store, fence, approvals={"finance": 1})
    told = update(gate_table).values(edit_of_digest="d", edit_arguments="{}", edit_by="bob")
    store.write_blocking(lambda tx: tx.execute(told))
    assert shelf_of(store, gate, "bob") is Shelf.TEAMS
    assert shelf_of(store, gate, "eve") is Shelf.MINE


def test_gate_that_was_escalated_needs_those_it_was_escalated_to(
    store: Store, fence: Fence
) -> None:
    gate = open_approval(store, fence, escalates_s=60, escalates_to="managers")
    assert shelf_of(store, gate, "max") is Shelf.OTHERS
    pass_time(store, 120)
    store.write_blocking(lambda tx: gates.escalate(tx, limit=9, at=NOW, actor="system"))
    assert shelf_of(store, gate, "max") is Shelf.MINE


def test_gate_needs_whoever_was_lent_a_seat_at_it(store: Store, runs: Runs, fence: Fence) -> None:
    here = open_approval(store, fence, number=1)
    elsewhere = open_approval(store, runs.start("two"), number=2)
    begins = viewer(store, "sam").now
    store.write_blocking(
        lambda tx: gates.delegate(
            tx,
            tenant="acme",
            from_person="bob",
            to_person="sam",
            gate_id=here.id,
            starts_at=begins - timedelta(minutes=1),
            ends_at=begins + timedelta(days=1),
            at=NOW,
            by="bob",
        )
    )
    assert shelf_of(store, here, "sam") is Shelf.MINE
    assert shelf_of(store, elsewhere, "sam") is Shelf.OTHERS


def test_question_needs_whoever_its_run_acts_for_and_operators(store: Store, fence: Fence) -> None:
    gate = question(store, fence, acts_for="ada")
    assert shelf_of(store, gate, "ada") is Shelf.MINE
    assert shelf_of(store, gate, "olga") is Shelf.MINE
    assert shelf_of(store, gate, "bob") is Shelf.OTHERS


def test_what_is_closed_or_has_expired_is_decided(store: Store, runs: Runs, fence: Fence) -> None:
    closed = open_approval(store, fence, number=1)
    reject(store, closed)
    late = open_approval(store, runs.start("two"), number=2)
    pass_time(store, 5 * 3600)
    for gate, person in itertools.product((closed, late), ("bob", "sam", "olga")):
        assert shelf_of(store, gate, person) is Shelf.DECIDED


def test_what_expires_first_comes_first_and_then_what_is_riskier(store: Store, runs: Runs) -> None:
    later = open_approval(store, runs.start("one"), number=1, expires_s=7200)
    soon = open_approval(store, runs.start("two"), number=2, expires_s=600)
    endless = question(store, runs.start("three"), number=3)
    doubt = question(store, runs.start("four"), number=4)
    told = update(gate_table).where(gate_table.c.id == doubt.id).values(kind=GateKind.IN_DOUBT)
    store.write_blocking(lambda tx: tx.execute(told))
    who = replace(
        viewer(store, "olga"), seats=(Seat(person="olga", groups=frozenset({"finance"})),)
    )
    listed = store.read_blocking(lambda tx: gates.shelf(tx, who, Shelf.MINE, ANYTHING, limit=9))
    wanted = [soon.id, later.id, doubt.id, endless.id]
    assert [each.gate.id for each in listed] == wanted


def test_pages_of_a_shelf_hold_each_gate_once(store: Store, runs: Runs) -> None:
    for number in range(7):
        open_approval(store, runs.start(f"thread-{number}"), number=number)
    who = viewer(store, "bob")
    pages = [
        store.read_blocking(
            lambda tx, offset=offset: gates.shelf(
                tx, who, Shelf.MINE, ANYTHING, limit=3, offset=offset
            )
        )
        for offset in (0, 3, 6)
    ]
    ids = [each.gate.id for page in pages for each in page]
    assert len(ids) == len(set(ids)) == 7


def test_shelf_can_be_filtered_by_kind_and_graph(store: Store, runs: Runs, fence: Fence) -> None:
    gate = open_approval(store, fence)
    question(store, runs.start("two"))
    only = GateFilter(kinds=(GateKind.APPROVAL,), graph="demo")
    who = replace(viewer(store, "olga"), seats=(Seat(person="olga", groups=None),))
    found = store.read_blocking(lambda tx: gates.shelf(tx, who, Shelf.MINE, only, limit=9))
    assert [each.gate.id for each in found] == [gate.id]
    asker = viewer(store, "ada")
    assert store.read_blocking(lambda tx: gates.count(tx, asker, Shelf.MINE, only)) == 0
    other = GateFilter(graph="another")
    assert store.read_blocking(lambda tx: gates.count(tx, who, Shelf.MINE, other)) == 0


def test_nobody_sees_what_another_tenant_is_asked(store: Store, fence: Fence) -> None:
    open_approval(store, fence)
    who = replace(viewer(store, "bob"), tenant="other")
    for shelf in Shelf:
        assert store.read_blocking(lambda tx, at=shelf: gates.count(tx, who, at, ANYTHING)) == 0


def test_where_nobody_said_who_is_who_everything_needs_whoever_looks(
    store: Store, fence: Fence
) -> None:
    gate = open_approval(store, fence)
    who = store.read_blocking(
        lambda tx: viewer_of(tx, OpenDirectory(), "root", tenant="acme", now=viewer(store, "x").now)
    )
    found = store.read_blocking(lambda tx: gates.shelf(tx, who, Shelf.MINE, ANYTHING, limit=9))
    assert [each.gate.id for each in found] == [gate.id]


def test_runs_are_found_by_state_graph_time_and_whom_they_wait_for(
    store: Store, runs: Runs
) -> None:
    waits = runs.start("waits")
    open_approval(store, waits, approvals={"finance": 1})
    runs.park(waits)
    done = runs.start("done")
    runs.move(done, RunStatus.SUCCEEDED)

    def found(**more: Any) -> set[str]:
        wanted = RunFilter(tenant="acme", **more)
        page = store.read_blocking(lambda tx: run_rows.page(tx, wanted, limit=9))
        counts = store.read_blocking(lambda tx: run_rows.counts(tx, wanted))
        assert sum(counts.values()) == len(page)
        return {each.run.id for each in page}

    assert found() == {waits.run_id, done.run_id}
    assert found(statuses=(RunStatus.SUCCEEDED,)) == {done.run_id}
    assert found(graph="another") == set()
    assert found(since=NOW + timedelta(seconds=1)) == set()
    assert found(waits_for="finance") == {waits.run_id}
    assert found(waits_for="security") == set()
    assert found(text=done.run_id[:36]) == {done.run_id}
    assert found(text="waits") == {waits.run_id}


def test_run_in_a_list_says_what_it_waits_at(store: Store, runs: Runs) -> None:
    fence = runs.start("one")
    gate = open_approval(store, fence)
    runs.park(fence)
    (listed,) = store.read_blocking(lambda tx: run_rows.page(tx, RunFilter(tenant="acme"), limit=9))
    assert [each.id for each in listed.open_gates] == [gate.id]
    assert listed.open_gates[0].status is GateStatus.OPEN
