"""Calls that wait for people: who is asked, what they can do, and what comes of the call."""

from dataclasses import dataclass, field
from typing import TypedDict

import pytest
from pydantic_core import from_json

from penstock.checkpoints import Store
from penstock.contracts.errors import VoteRefused
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from penstock.nodes import tool
from support.allowing import DESK
from support.people import Staff
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str


@dataclass
class Desk:
    """A shop whose only tool pays, and what it has paid."""

    shop: Shop
    staff: Staff
    paid: list[int] = field(default_factory=list[int])

    async def gate(self, run: Run) -> Gate:
        """Return the open gate of a run."""
        (gate,) = [
            gate for gate in await self.shop.runtime.gates(run.id) if gate.status is GateStatus.OPEN
        ]
        return gate

    async def approve(self, gate: Gate, *people: str) -> Gate:
        """Have people approve what a gate asks."""
        for person in people:
            gate = await self.shop.approvals.approve(gate.id, by=person, binding=gate.binding or "")
        return gate


def desk(store: Store, amount: int) -> Desk:
    """Return a desk whose graph pays an amount."""
    paid: list[int] = []

    @tool(effect="unsafe", tags={"money"})
    async def pay(amount: int, note: str = "") -> str:
        """Pay somebody."""
        paid.append(amount)
        del note
        return f"paid {amount}"

    async def act(_: State) -> State:
        return {"said": await pay(amount=amount)}

    staff = Staff()
    graph = chain_of(State, act, tools=[pay])
    return Desk(Shop(store, graph, policy=DESK, people=staff), staff, paid)


async def test_a_call_that_needs_nobody_happens(store: Store) -> None:
    at = desk(store, 100)
    run = await at.shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert at.paid == [100]


async def test_a_call_that_is_denied_does_not_happen(store: Store) -> None:
    at = desk(store, 20000)
    run = await at.shop.run()
    assert run.failure is not None
    assert "ceiling" in run.failure.message
    assert at.paid == []


async def test_a_call_happens_once_all_have_approved(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    assert run.status is RunStatus.WAITING
    gate = await at.gate(run)
    assert gate.kind is GateKind.APPROVAL
    assert gate.approvals == {"finance": 2}
    assert from_json(gate.question)["arguments"] == {"amount": 900, "note": ""}
    gate = await at.approve(gate, "bob")
    assert gate.status is GateStatus.OPEN
    gate = await at.approve(gate, "eve")
    assert gate.status is GateStatus.DECIDED
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert at.paid == [900]


async def test_whoever_the_run_acts_for_cannot_approve(store: Store) -> None:
    at = desk(store, 900)
    gate = await at.gate(await at.shop.run())
    with pytest.raises(VoteRefused, match="acts for `ann`"):
        await at.approve(gate, "ann")


async def test_an_edited_call_is_made_with_the_new_arguments(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    gate = await at.gate(run)
    edited = await at.shop.approvals.edit(
        gate.id, {"amount": 700}, by="bob", binding=gate.binding or ""
    )
    with pytest.raises(VoteRefused, match="has edited"):
        await at.approve(edited, "bob")
    at.staff.in_group["finance"].add("fay")
    await at.approve(edited, "eve", "fay")
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert at.paid == [700]
