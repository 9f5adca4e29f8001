"""What gates refuse: each case is one attack, and after it the store is as it was."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from penstock.checkpoints import Store, gates, ledger, policies, runs
from penstock.checkpoints.schema import gates as gates_table
from penstock.contracts.effect import Effect
from penstock.contracts.errors import (
    EditRefused,
    GateClosed,
    GateStale,
    UnknownGate,
    VoteRefused,
)
from penstock.contracts.gate import Channel, Gate, Question
from penstock.contracts.ids import GateId, IdempotencyKey
from penstock.contracts.policy import PolicySource
from penstock.contracts.run import RunStatus
from penstock.contracts.signals import LeaseLost
from penstock.nodes.calls.claim import ApprovalVoid, StaleDecision
from penstock.policies import read_source
from support.allowing import OPEN
from support.council import Asked, Council, wire
from support.ledgers import empty
from support.unchanged import nothing_changed

Attack = Callable[[], Awaitable[object]]
Arrange = Callable[[Council], Awaitable[Attack]]

NOWHERE = "0" * 64
"""A binding that nothing has."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One attack, and how it ends."""

    claim: str
    error: type[BaseException] | None
    """None where nothing is said and nothing changes."""
    match: str | None
    arrange: Arrange


REFUSALS: list[Refusal] = []


def refusal(
    claim: str, error: type[BaseException] | None, match: str | None = None
) -> Callable[[Arrange], Arrange]:
    """Put an attack into the table: what it is attached to prepares it, and returns it."""

    def add(arrange: Arrange) -> Arrange:
        REFUSALS.append(Refusal(claim, error, match, arrange))
        return arrange

    return add


# ---- what attacks begin with ----


async def asked(at: Council, note: str = "one") -> tuple[Asked, Gate]:
    """Return a call that waits, and its gate."""
    call = await at.start(note)
    return call, await at.gate(call)


async def approved(at: Council, note: str = "one") -> tuple[Asked, Gate]:
    """Return a call whose gate was approved by those whom it needs."""
    call, gate = await asked(at, note)
    for person in ("bob", "eve")[: 2 if note == "two" else 1]:
        gate = await at.approvals.approve(gate.id, by=person, binding=seen(gate))
    assert gate.is_approved
    return call, gate


async def edited(at: Council, note: str = "one", *, by: str = "bob") -> tuple[Asked, Gate]:
    """Return a call that somebody has edited, and the gate that asks about it then."""
    call, gate = await asked(at, note)
    return call, await edit(at, gate, by=by, note=note)


async def edit(at: Council, gate: Gate, *, by: str, note: str = "one", amount: int = 700) -> Gate:
    """Have somebody edit a call."""
    arguments = {"amount": amount, "note": note}
    return await at.approvals.edit(gate.id, arguments, by=by, binding=seen(gate))


async def lend(at: Council, owner: str, other: str, **terms: Any) -> int:
    """Have somebody lend their seat for a day; return the number under which it is kept."""
    now = at.clock.now()
    given: dict[str, Any] = {"tenant": "default", "ends_at": now + timedelta(days=1), "by": owner}
    delegation = await at.approvals.delegate(
        from_person=owner, to_person=other, **{**given, **terms}
    )
    return delegation.id


async def expire(at: Council, gate: Gate) -> None:
    """Let a gate's time be over, and nobody have noticed."""
    past = at.clock.now() - timedelta(seconds=1)
    await at.store.write(
        lambda tx: tx.execute(
            update(gates_table).where(gates_table.c.id == gate.id).values(expires_at=past)
        )
    )


async def sweep(at: Council) -> None:
    """Have everything closed whose time is over."""
    now = at.clock.now()
    await at.store.write(lambda tx: gates.expire(tx, limit=100, at=now, actor="worker"))


async def end(at: Council, call: Asked) -> None:
    """End a run."""
    await at.store.write(
        lambda tx: runs.move(
            tx, call.run.fence, RunStatus.CANCELLED, at=at.clock.now(), actor="worker"
        )
    )


async def swap(at: Council, source: PolicySource) -> None:
    """Have another policy decide."""
    await at.store.write(
        lambda tx: policies.load(tx, at.graph.name, source, at=at.clock.now(), by="test")
    )


async def question(at: Council) -> Gate:
    """Return a gate at which a graph asks something."""
    call = await at.start()
    asks = Question(id=GateId(call.run.id), question='"which day?"', answer_schema=None)
    await at.store.write(lambda tx: gates.open_questions(tx, call.run, [asks], at=at.clock.now()))
    return await at.store.read(lambda tx: gates.get(tx, asks.id))


async def doubt(at: Council) -> Gate:
    """Return a gate that asks whether a call happened."""
    call, gate = await approved(at)
    effect, _ = await at.claim(call, gate)
    new = at.admitted(call).effect
    doubted: Effect = await at.store.write(
        lambda tx: ledger.doubt(
            tx, effect, new, why=("unknown", "lost"), at=at.clock.now(), actor="worker"
        )
    )
    return await at.store.read(lambda tx: gates.get(tx, ledger.gate_of(doubted)))


def seen(gate: Gate) -> str:
    """Return what somebody saw who looked at a gate."""
    return gate.binding or ""


def approve(at: Council, gate: Gate, by: str, **terms: Any) -> Attack:
    """Return a vote for a call."""
    given: dict[str, Any] = {"binding": seen(gate), **terms}
    return lambda: at.approvals.approve(gate.id, by=by, **given)


def reject(at: Council, gate: Gate, by: str, **terms: Any) -> Attack:
    """Return a vote against a call."""
    given: dict[str, Any] = {"binding": seen(gate), "reason": "no", **terms}
    return lambda: at.approvals.reject(gate.id, by=by, **given)


def respond(at: Council, gate: Gate, by: str, text: str = "ask later") -> Attack:
    """Return an answer in a call's place."""
    return lambda: at.approvals.respond(gate.id, text, by=by, binding=seen(gate))


def break_glass(at: Council, gate: Gate, by: str = "bea", **terms: Any) -> Attack:
    """Return an approval by one alone."""
    given: dict[str, Any] = {"binding": seen(gate), "reason": "the plant is on fire", **terms}
    return lambda: at.approvals.break_glass(gate.id, by=by, **given)


def editing(at: Council, gate: Gate, by: str = "bob", **terms: Any) -> Attack:
    """Return an edit."""
    arguments = {"amount": 700, "note": "one"}
    given: dict[str, Any] = {"arguments": arguments, "binding": seen(gate), **terms}
    return lambda: at.approvals.edit(gate.id, by=by, **given)


# ---- who has a part in the call ----


@refusal("the requester approves", VoteRefused, "acts for `ann`")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return approve(at, gate, "ann")


@refusal("the requester answers in the call's place", VoteRefused, "acts for `ann`")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return respond(at, gate, "ann")


@refusal("the requester approves for another seat", VoteRefused, "acts for `ann`")
async def _(at: Council) -> Attack:
    at.staff.in_group["finance"].remove("ann")
    _, gate = await asked(at)
    await lend(at, "bob", "ann")
    return approve(at, gate, "ann")


@refusal("somebody approves for the requester's seat", VoteRefused, "acts for `ann`")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await lend(at, "ann", "dan")
    return approve(at, gate, "dan")


@refusal("the editor approves", VoteRefused, "`bob` has edited")
async def _(at: Council) -> Attack:
    _, gate = await edited(at)
    return approve(at, gate, "bob")


@refusal("the editor answers in the call's place", VoteRefused, "`bob` has edited")
async def _(at: Council) -> Attack:
    _, gate = await edited(at)
    return respond(at, gate, "bob")


@refusal("the editor approves for another seat", VoteRefused, "`dan` has edited")
async def _(at: Council) -> Attack:
    await lend(at, "eve", "dan")
    _, gate = await edited(at, by="dan")
    return approve(at, gate, "dan")


@refusal("somebody approves for the editor's seat", VoteRefused, "`bob` has edited")
async def _(at: Council) -> Attack:
    await lend(at, "bob", "dan")
    _, gate = await edited(at)
    return approve(at, gate, "dan")


@refusal("who edited before another approves", VoteRefused, "`bob` has edited")
async def _(at: Council) -> Attack:
    _, gate = await edited(at)
    gate = await edit(at, gate, by="eve", amount=701)
    return approve(at, gate, "bob")


@refusal("the requester approves what was edited though they may else", VoteRefused, "acts for")
async def _(at: Council) -> Attack:
    _, gate = await edited(at, "own")
    assert gate.may_confirm_self
    return approve(at, gate, "ann")


@refusal("the requester edits and approves though they may else", VoteRefused, "has edited")
async def _(at: Council) -> Attack:
    _, gate = await edited(at, "own", by="ann")
    return approve(at, gate, "ann")


# ---- who has no seat ----


@refusal("an outsider approves", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return approve(at, gate, "dan")


@refusal("an outsider rejects", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return reject(at, gate, "dan")


@refusal("an outsider answers in the call's place", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return respond(at, gate, "dan")


@refusal("an outsider edits", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return editing(at, gate, "dan")


@refusal("a member of another group approves", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return approve(at, gate, "sam")


@refusal("a member of the group in another tenant approves", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    at.staff.abroad.add(("finance", "tia", "acme"))
    _, gate = await asked(at)
    return approve(at, gate, "tia")


@refusal("who has left the group approves", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    at.staff.in_group["finance"].remove("bob")
    return approve(at, gate, "bob")


@refusal("somebody approves for who has left the group", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await lend(at, "bob", "dan")
    at.staff.in_group["finance"].remove("bob")
    return approve(at, gate, "dan")


@refusal("whom it is escalated to approves before", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at, "slow")
    return approve(at, gate, "max")


# ---- seats that were lent ----


@refusal("a seat is used before it is lent", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    later = at.clock.now() + timedelta(hours=1)
    await lend(at, "bob", "dan", starts_at=later)
    return approve(at, gate, "dan")


@refusal("a seat is used after it was lent", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    now = at.clock.now()
    await lend(
        at, "bob", "dan", starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1)
    )
    return approve(at, gate, "dan")


@refusal("a seat is used that was taken back", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await at.approvals.revoke(await lend(at, "bob", "dan"), by="bob")
    return approve(at, gate, "dan")


@refusal("a seat is used at another gate than it was lent for", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, other = await asked(at)
    _, gate = await asked(at)
    await lend(at, "bob", "dan", gate_id=other.id)
    return approve(at, gate, "dan")


@refusal("a seat is lent on", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await lend(at, "bob", "dan")
    await lend(at, "dan", "kim")
    return approve(at, gate, "kim")


@refusal("a seat is used that was lent in another tenant", VoteRefused, "may not decide")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await lend(at, "bob", "dan", tenant="acme")
    return approve(at, gate, "dan")


@refusal("somebody lends the seat of another to themselves", VoteRefused, "only they can")
async def _(at: Council) -> Attack:
    return lambda: lend(at, "bob", "dan", by="dan")


@refusal("an operator lends the seat of another", VoteRefused, "only they can")
async def _(at: Council) -> Attack:
    return lambda: lend(at, "bob", "olga", by="olga")


@refusal("somebody lends their seat to themselves", VoteRefused, "to themselves")
async def _(at: Council) -> Attack:
    return lambda: lend(at, "bob", "bob")


@refusal("a seat is lent until before it is", VoteRefused, "ends after it begins")
async def _(at: Council) -> Attack:
    return lambda: lend(at, "bob", "dan", ends_at=at.clock.now() - timedelta(hours=1))


@refusal("a seat is lent at a gate that is not there", UnknownGate, "no gate")
async def _(at: Council) -> Attack:
    return lambda: lend(at, "bob", "dan", gate_id=GateId("nowhere"))


@refusal("a stranger takes a lent seat back", VoteRefused, "cannot take back")
async def _(at: Council) -> Attack:
    number = await lend(at, "bob", "dan")
    return lambda: at.approvals.revoke(number, by="sam")


# ---- votes that were cast ----


@refusal("a vote is changed", VoteRefused, "a vote is not changed")
async def _(at: Council) -> Attack:
    _, gate = await asked(at, "two")
    await approve(at, gate, "bob")()
    return reject(at, gate, "bob")


@refusal("a vote is cast twice", None)
async def _(at: Council) -> Attack:
    _, gate = await asked(at, "two")
    await approve(at, gate, "bob")()
    return approve(at, gate, "bob")


@refusal("a vote is cast once more for another seat", None)
async def _(at: Council) -> Attack:
    _, gate = await asked(at, "two")
    await approve(at, gate, "bob")()
    await lend(at, "eve", "bob")
    at.staff.in_group["finance"].remove("bob")
    return approve(at, gate, "bob")


@refusal("somebody votes whose seat was voted for", VoteRefused, "has voted .* for `eve`")
async def _(at: Council) -> Attack:
    _, gate = await asked(at, "two")
    await lend(at, "eve", "dan")
    await approve(at, gate, "dan")()
    return approve(at, gate, "eve")


@refusal("somebody votes for a seat that has voted", VoteRefused, "has voted .* for `eve`")
async def _(at: Council) -> Attack:
    _, gate = await asked(at, "two")
    await lend(at, "eve", "dan")
    await approve(at, gate, "eve")()
    return approve(at, gate, "dan")


@refusal("a rejection has no reason", VoteRefused, "needs its reason")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return reject(at, gate, "bob", reason=" ")


@refusal("a response has no words", VoteRefused, "needs the words")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return respond(at, gate, "bob", "")


# ---- what was seen ----


@refusal("a stale tab approves", GateStale, "look at it again")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return approve(at, gate, "bob", binding=NOWHERE)


@refusal("a stale tab rejects", GateStale, "look at it again")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return reject(at, gate, "bob", binding=NOWHERE)


@refusal("a stale tab edits", GateStale, "look at it again")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return editing(at, gate, binding=NOWHERE)


@refusal("a stale tab breaks the glass", GateStale, "look at it again")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return break_glass(at, gate, binding=NOWHERE)


@refusal("the binding of another call is approved", GateStale, "look at it again")
async def _(at: Council) -> Attack:
    _, other = await asked(at)
    _, gate = await asked(at)
    return approve(at, gate, "bob", binding=seen(other))


# ---- gates that are closed, or are none ----


@refusal("a vote comes after the time, and nobody has noticed", GateClosed, "expired")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await expire(at, gate)
    return approve(at, gate, "bob")


@refusal("a rejection comes after the time", GateClosed, "expired")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await expire(at, gate)
    return reject(at, gate, "bob")


@refusal("an edit comes after the time", GateClosed, "expired")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await expire(at, gate)
    return editing(at, gate)


@refusal("the glass is broken after the time", GateClosed, "expired")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await expire(at, gate)
    return break_glass(at, gate)


@refusal("a vote comes at a gate that was closed by time", GateClosed, "was expired")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await expire(at, gate)
    await sweep(at)
    return approve(at, gate, "bob")


@refusal("an approval comes after a rejection", GateClosed, "reject by `eve`")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await reject(at, gate, "eve")()
    return approve(at, gate, "bob")


@refusal("a rejection comes after the approval", GateClosed, "approve by `bob`")
async def _(at: Council) -> Attack:
    _, gate = await approved(at)
    return reject(at, gate, "eve")


@refusal("an edit comes after the approval", GateClosed, "approve by `bob`")
async def _(at: Council) -> Attack:
    _, gate = await approved(at)
    return editing(at, gate, "eve")


@refusal("a vote comes at a gate whose run is over", GateClosed, "cancelled")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    await end(at, call)
    return approve(at, gate, "bob")


@refusal("an edit comes at a gate whose run is over", GateClosed, "cancelled")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    await end(at, call)
    return editing(at, gate)


@refusal("a vote comes at a gate whose call was edited", GateClosed, "superseded")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    await edit(at, gate, by="bob")
    return approve(at, gate, "eve")


@refusal("a vote comes at a gate that is not there", UnknownGate, "no gate")
async def _(at: Council) -> Attack:
    return lambda: at.approvals.approve(GateId("nowhere"), by="bob", binding=NOWHERE)


@refusal("an operator answers where votes are wanted", VoteRefused, "takes votes")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return lambda: at.runtime.decide(gate.id, {"decision": "approve"}, by="olga")


@refusal("a member answers where votes are wanted", VoteRefused, "may not answer")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return lambda: at.runtime.decide(gate.id, {"decision": "approve"}, by="bob")


@refusal("a vote comes where an answer is wanted", VoteRefused, "takes an answer")
async def _(at: Council) -> Attack:
    gate = await question(at)
    return approve(at, gate, "olga")


@refusal("the glass is broken where an answer is wanted", VoteRefused, "takes an answer")
async def _(at: Council) -> Attack:
    gate = await doubt(at)
    return break_glass(at, gate)


@refusal("an outsider answers what a graph asks", VoteRefused, "may not answer")
async def _(at: Council) -> Attack:
    gate = await question(at)
    return lambda: at.runtime.decide(gate.id, "Monday", by="bob")


@refusal("the requester says what became of a call", VoteRefused, "may not answer")
async def _(at: Council) -> Attack:
    gate = await doubt(at)
    return lambda: at.runtime.decide(gate.id, {"answer": "did_not"}, by="ann")


# ---- breaking the glass ----


@refusal("somebody breaks the glass who may not", VoteRefused, "`break-glass`")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return break_glass(at, gate, "bob")


@refusal("the glass is broken without a reason", VoteRefused, "say why")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return break_glass(at, gate, reason=" ")


@refusal("the requester breaks the glass", VoteRefused, "acts for `ann`")
async def _(at: Council) -> Attack:
    at.staff.in_group["break-glass"].add("ann")
    _, gate = await asked(at)
    return break_glass(at, gate, "ann")


@refusal("the editor breaks the glass", VoteRefused, "`bob` has edited")
async def _(at: Council) -> Attack:
    at.staff.in_group["break-glass"].add("bob")
    _, gate = await edited(at)
    return break_glass(at, gate, "bob")


@refusal("who has rejected breaks the glass", GateClosed, "reject by `bea`")
async def _(at: Council) -> Attack:
    at.staff.in_group["finance"].add("bea")
    _, gate = await asked(at)
    await reject(at, gate, "bea")()
    return break_glass(at, gate)


@refusal("the glass is broken of what others have approved", GateClosed, "approve by `bob`")
async def _(at: Council) -> Attack:
    _, gate = await approved(at)
    return break_glass(at, gate)


@refusal("an ordinary vote says that it breaks the glass", VoteRefused, "and why")
async def _(at: Council) -> Attack:
    at.staff.in_group["break-glass"].add("bob")
    _, gate = await asked(at, "two")
    return approve(at, gate, "bob", channel=Channel.BREAK_GLASS)


# ---- edits ----


@refusal("an edit is of the wrong type", EditRefused, "amount")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return editing(at, gate, arguments={"amount": "much", "note": "one"})


@refusal("an edit names an argument that is none", EditRefused, "to_whom")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return editing(at, gate, arguments={"amount": 700, "note": "one", "to_whom": "me"})


@refusal("an edit leaves an argument out", EditRefused, "note")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return editing(at, gate, arguments={"amount": 700})


@refusal("an edit makes a call that is denied", EditRefused, "would then be denied")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return editing(at, gate, arguments={"amount": 10001, "note": "one"})


@refusal("an edit changes nothing", EditRefused, "are what they were")
async def _(at: Council) -> Attack:
    _, gate = await asked(at)
    return editing(at, gate, arguments={"amount": 900, "note": "one"})


@refusal("an edit is of arguments that nobody is shown", EditRefused, "nobody is shown")
async def _(at: Council) -> Attack:
    call = await at.start(called=wire, arguments={"amount": 5, "account": "DE89"})
    gate = await at.gate(call)
    return editing(at, gate, arguments={"amount": 6, "account": "DE00"})


# ---- claims ----


@refusal("a call begins without an approval", ApprovalVoid, "is open")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    return lambda: at.claim(call, gate)


@refusal("a call begins with too few approvals", ApprovalVoid, "is open")
async def _(at: Council) -> Attack:
    call, gate = await asked(at, "two")
    await approve(at, gate, "bob")()
    return lambda: at.claim(call, gate)


@refusal("a call begins that was rejected", ApprovalVoid, "not approved")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    await reject(at, gate, "bob")()
    return lambda: at.claim(call, gate)


@refusal("a call begins that was answered in its place", ApprovalVoid, "not approved")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    await respond(at, gate, "bob")()
    return lambda: at.claim(call, gate)


@refusal("a call begins whose gate was closed by time", ApprovalVoid, "is expired")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    await expire(at, gate)
    await sweep(at)
    return lambda: at.claim(call, gate)


@refusal("a call begins after its approval is over", ApprovalVoid, "expired at")
async def _(at: Council) -> Attack:
    call, gate = await approved(at)
    await expire(at, gate)
    return lambda: at.claim(call, gate)


@refusal("a call begins with the gate of what it was before an edit", ApprovalVoid, "superseded")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    await edit(at, gate, by="bob")
    return lambda: at.claim(call, gate)


@refusal("a call begins with the approval of another", ApprovalVoid, "not what is called")
async def _(at: Council) -> Attack:
    _, other = await approved(at)
    call, _ = await asked(at)
    return lambda: at.claim(call, other)


@refusal("a call begins with other arguments", ApprovalVoid, "not what is called")
async def _(at: Council) -> Attack:
    call, gate = await approved(at)
    changed = replace(call, arguments={"amount": 901, "note": "one"})
    return lambda: at.claim(changed, gate)


@refusal("a call begins with the approval of its like", ApprovalVoid, "not what is called")
async def _(at: Council) -> Attack:
    call, gate = await approved(at)
    like = replace(call, key=IdempotencyKey("f" * 64))
    return lambda: at.claim(like, gate)


@refusal("a call begins with an approval that another used up", ApprovalVoid, "not what is called")
async def _(at: Council) -> Attack:
    first, other = await approved(at)
    await at.claim(first, other)
    call, _ = await asked(at)
    return lambda: at.claim(call, other)


@refusal("a call is begun twice with one approval", None)
async def _(at: Council) -> Attack:
    call, gate = await approved(at)
    effect, is_begun = await at.claim(call, gate)
    assert is_begun
    await at.store.write(
        lambda tx: ledger.succeed(
            tx, effect.key, effect.attempt, '"paid"', at=at.clock.now(), actor="worker"
        )
    )
    return lambda: at.claim(call, gate)


@refusal("a call begins though who approved has left", ApprovalVoid, "not in their group")
async def _(at: Council) -> Attack:
    call, gate = await approved(at, "two")
    at.staff.in_group["finance"].remove("eve")
    return lambda: at.claim(call, gate)


@refusal("a call begins though who broke the glass has left", ApprovalVoid, "not in their group")
async def _(at: Council) -> Attack:
    call, gate = await asked(at)
    await break_glass(at, gate)()
    at.staff.in_group["break-glass"].remove("bea")
    return lambda: at.claim(call, gate)


@refusal("a call begins under a policy that is not any more", StaleDecision, "[0-9a-f]{64}")
async def _(at: Council) -> Attack:
    call, gate = await approved(at)
    await swap(at, read_source(OPEN))
    stale = await at.store.read(lambda tx: policies.get(tx, at.graph.name, 1))

    async def begin_then() -> None:
        # Decided under the policy of today, and overtaken by that of tomorrow.
        await at.claim(call, gate, under=stale.source.digest)

    return begin_then


@refusal("a worker without its lease begins a call", LeaseLost, "epoch 1")
async def _(at: Council) -> Attack:
    call, gate = await approved(at)
    await taken_over(at, call)
    return lambda: at.claim(call, gate)


@refusal("a worker without its lease asks people", LeaseLost, "epoch 1")
async def _(at: Council) -> Attack:
    call = await at.start()
    await taken_over(at, call)
    return lambda: at.gate(call)


async def taken_over(at: Council, call: Asked) -> None:
    """Have another worker drive a run."""
    queued = await at.store.write(
        lambda tx: runs.move(tx, call.run.fence, RunStatus.QUEUED, at=at.clock.now(), actor="test")
    )
    await at.claimed(queued)


# ---- the table ----


def test_the_table_has_every_refusal_once() -> None:
    claims = [each.claim for each in REFUSALS]
    assert len(claims) == len(set(claims)) >= 40


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.claim.replace(" ", "_"))
async def test_nothing_comes_of_it_when(shared_store: Store, case: Refusal) -> None:
    shared_store.write_blocking(empty)
    attack = await case.arrange(Council(shared_store))
    async with nothing_changed(shared_store):
        if case.error is None:
            await attack()
        else:
            with pytest.raises(case.error, match=case.match):
                await attack()
