"""What gates about budgets refuse: each case is one attack, and after it the store is as it was."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from penstock.checkpoints import Checkpointer, Store, budgets, gates, runs
from penstock.checkpoints.schema import gates as gates_table
from penstock.contracts.budget import (
    AccountKind,
    Amounts,
    Budget,
    OnExhaustion,
    Shortfall,
    Unit,
    run_account,
)
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import (
    GateClosed,
    InvalidAnswer,
    OverBudget,
    PenstockError,
    UnknownGate,
    VoteRefused,
)
from penstock.contracts.gate import Gate
from penstock.contracts.ids import GateId, WorkerId
from penstock.contracts.run import Fence, RunStatus
from penstock.contracts.signals import LeaseLost
from penstock.graphs import Catalog
from penstock.nodes.calls.context import Halt, SegmentContext
from penstock.nodes.gates.exhaustion import resolve_exhaustion
from penstock.nodes.isolation import Pool
from penstock.runs import Approvals, Runtime
from support.people import Staff
from support.runs import NOW, Runs
from support.spenders import own_account, race
from support.unchanged import nothing_changed

CAP, WANTED = 100, 130
LEAST = 30
"""What the cap has to be raised by at least."""


class Desk:
    """A run that waits at a gate about its tokens, and whoever comes to it."""

    def __init__(self, store: Store, *, unit: Unit = Unit.TOKENS) -> None:
        self.store = store
        self.staff = Staff()
        self.staff.in_group["operators"].add("otto")
        self.staff.abroad |= {("operators", "olga", "acme"), ("break-glass", "bea", "acme")}
        saver, catalog = Checkpointer(store), Catalog.of()
        self.runtime = Runtime(store, saver, catalog, people=self.staff)
        self.approvals = Approvals(store, catalog, people=self.staff)
        self.fence: Fence = Runs(store).start("t")
        budget = Budget(tokens=CAP, steps=CAP, on_exhaustion=OnExhaustion.GATE)
        account = own_account(self.fence.run_id, budget)
        store.write_blocking(lambda tx: budgets.open_account(tx, account))
        self.unit = unit
        self.gate = self.ask()

    def ask(self) -> Gate:
        """Ask for more, as a worker does whose call did not fit."""
        run = self.store.read_blocking(lambda tx: runs.get(tx, self.fence.run_id))
        context = SegmentContext(
            store=self.store,
            clock=SystemClock(),
            run=replace(run, epoch=self.fence.epoch),
            worker=WorkerId("worker-1"),
            pool=Pool(preload=[], idle_count=0),
            people=self.staff,
            halt=_halt(),
        )
        is_step = self.unit is Unit.STEPS
        short = Shortfall(
            account=run_account(run.id),
            kind=AccountKind.RUN,
            unit=self.unit,
            left=0 if is_step else CAP,
            wanted=1 if is_step else WANTED,
            currency=None,
            cap=CAP,
        )
        worst = None if is_step else Amounts(tokens=WANTED)
        verdict = self.store.write_blocking(
            lambda tx: resolve_exhaustion(tx, context, OverBudget(short, "gpt"), worst)
        )
        assert verdict.gate is not None
        return verdict.gate

    async def decide(self, answer: Any, *, by: str = "olga") -> Gate:
        """Answer the gate."""
        return await self.runtime.decide(self.gate.id, answer, by=by)

    def park(self) -> None:
        """Let the run wait at its gate."""
        others = [self.gate.id]
        self.store.write_blocking(
            lambda tx: runs.park(tx, self.fence, [], others=others, at=NOW, actor="worker")
        )

    def expire(self) -> None:
        """Let the time of the gate be over, and nobody have noticed."""
        past = NOW - timedelta(days=10_000)
        of_gate = gates_table.c.id == self.gate.id
        self.store.write_blocking(
            lambda tx: tx.execute(update(gates_table).where(of_gate).values(expires_at=past))
        )

    def cap(self) -> int | None:
        """Return the cap as it is now."""
        account_id = run_account(self.fence.run_id)
        found = self.store.read_blocking(lambda tx: budgets.statement(tx, account_id))
        assert found is not None
        return found.balance(self.unit).cap


def _halt() -> Halt:
    """Return one that nobody asks."""
    loop = asyncio.new_event_loop()
    loop.close()
    return Halt(loop)


RAISE = {"type": "raise", "cap": "tokens", "by": 50}
FINISH = {"type": "finish"}


@dataclass(frozen=True)
class Refusal:
    """One attack, and how it ends."""

    claim: str
    error: type[BaseException] | None
    match: str | None
    attack: Callable[[Desk], Awaitable[object]]
    """What is attached to the gate; what it prepares may change the store, see `first`."""
    first: Callable[[Desk], Awaitable[object]] | None = None
    unit: Unit = Unit.TOKENS


def answer(claim: str, given: Any, match: str = "was not decided", **more: Any) -> Refusal:
    """Return the attack of answering something that does not fit."""
    return Refusal(claim, InvalidAnswer, match, lambda at: at.decide(given), **more)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in RAISE.items() if key != name}


async def decided(at: Desk) -> None:
    await at.decide(RAISE)


async def cancelled(at: Desk) -> None:
    at.park()
    await at.runtime.cancel(at.fence.run_id, by="olga")


async def expired(at: Desk) -> None:
    at.expire()


async def swept(at: Desk) -> None:
    at.expire()
    at.store.write_blocking(lambda tx: gates.expire(tx, limit=10, at=NOW, actor="worker"))


async def superseded(at: Desk) -> None:
    at.store.write_blocking(lambda tx: gates.supersede(tx, [at.gate.id], at=NOW, actor="worker"))


async def taken_over(at: Desk) -> None:
    at.store.write_blocking(
        lambda tx: runs.move(tx, at.fence, RunStatus.QUEUED, at=NOW, actor="test")
    )


async def asked_again(at: Desk) -> None:
    assert at.ask() == at.gate


REFUSALS = [
    answer("it is raised by nothing said", without("by")),
    answer("it is raised by zero", {**RAISE, "by": 0}),
    answer("it is lowered", {**RAISE, "by": -50}),
    answer("it is raised by less than what is wanted", {**RAISE, "by": LEAST - 1}, "minimum"),
    answer("it is raised by a part of a token", {**RAISE, "by": 50.5}, "integer"),
    answer("it is raised by a text", {**RAISE, "by": "50"}, "integer"),
    answer("it is raised by a yes", {**RAISE, "by": True}, "integer"),
    answer("it is raised by null", {**RAISE, "by": None}, "integer"),
    answer("it is raised by a list", {**RAISE, "by": [50]}, "integer"),
    answer("it is raised beyond all measure", {**RAISE, "by": 10**15 + 1}, "maximum"),
    answer("another cap is raised", {**RAISE, "cap": "money"}, "tokens"),
    answer("no cap is named", without("cap"), "cap"),
    answer("two caps are raised at once", {**RAISE, "money": 50}),
    answer("a currency is slipped in", {**RAISE, "currency": "USD"}),
    answer("it is said nothing", {}),
    answer("something else is said", {"type": "double"}),
    answer("a word is said", "raise"),
    answer("a number is said", 50),
    answer("several things are said", [RAISE]),
    answer("null is said", None),
    answer("it is finished with an amount", {**RAISE, "type": "finish"}),
    answer("it is stopped with an amount", {"type": "stop", "by": 50}),
    answer("what was raised is written in capitals", {**RAISE, "type": "RAISE"}),
    answer("a run without a step left is to finish", FINISH, unit=Unit.STEPS),
    Refusal(
        "somebody of no group raises it",
        VoteRefused,
        "wanted is a member of `operators`",
        lambda at: at.decide(RAISE, by="mallory"),
    ),
    Refusal(
        "whoever the run acts for raises it",
        VoteRefused,
        "operators",
        lambda at: at.decide(RAISE, by="ann"),
    ),
    Refusal("nobody raises it", VoteRefused, "operators", lambda at: at.decide(RAISE, by="")),
    Refusal(
        "it is raised again by the same amount by the same person",
        None,
        None,
        lambda at: at.decide(RAISE),
        decided,
    ),
    Refusal(
        "it is raised again by another amount",
        GateClosed,
        "was decided by `olga`",
        lambda at: at.decide({**RAISE, "by": 51}),
        decided,
    ),
    Refusal(
        "it is finished after it was raised",
        GateClosed,
        "was decided by `olga`",
        lambda at: at.decide(FINISH),
        decided,
    ),
    Refusal(
        "the gate of a cancelled run is raised",
        GateClosed,
        "was cancelled",
        lambda at: at.decide(RAISE),
        cancelled,
    ),
    Refusal(
        "it is raised too late",
        GateClosed,
        "expired at",
        lambda at: at.decide(RAISE),
        expired,
    ),
    Refusal(
        "it is raised after a sweep found it too late",
        GateClosed,
        "was expired",
        lambda at: at.decide(RAISE),
        swept,
    ),
    Refusal(
        "a gate that was superseded is raised",
        GateClosed,
        "was superseded",
        lambda at: at.decide(RAISE),
        superseded,
    ),
    Refusal(
        "a gate that is not there is raised",
        UnknownGate,
        "no gate",
        lambda at: at.runtime.decide(GateId("0" * 32), RAISE, by="olga"),
    ),
    Refusal(
        "somebody votes for it",
        VoteRefused,
        "takes an answer, not a vote",
        lambda at: at.approvals.approve(at.gate.id, by="olga", binding=""),
    ),
    Refusal(
        "somebody votes against it",
        VoteRefused,
        "takes an answer, not a vote",
        lambda at: at.approvals.reject(at.gate.id, by="olga", binding="", reason="no"),
    ),
    Refusal(
        "somebody breaks the glass for it",
        VoteRefused,
        "takes an answer, not a vote",
        lambda at: at.approvals.break_glass(at.gate.id, by="bea", binding="", reason="now"),
    ),
    Refusal(
        "a worker without its lease asks",
        LeaseLost,
        "epoch 1",
        asked_again,
        taken_over,
    ),
    Refusal("a worker asks twice", None, None, asked_again),
]


def test_the_table_has_every_refusal_once() -> None:
    claims = [each.claim for each in REFUSALS]
    assert len(claims) == len(set(claims)) == 40


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.claim.replace(" ", "_"))
async def test_nothing_comes_of_it_when(shared_store: Store, case: Refusal) -> None:
    at = Desk(shared_store, unit=case.unit)
    if case.first is not None:
        await case.first(at)
    async with nothing_changed(shared_store):
        if case.error is None:
            await case.attack(at)
        else:
            with pytest.raises(case.error, match=case.match):
                await case.attack(at)


# ---- what counts ----


@pytest.mark.parametrize("by", [LEAST, 50, 50.0, 10**15])
async def test_a_cap_is_raised_by_what_was_said(store: Store, by: float) -> None:
    at = Desk(store)
    await at.decide({**RAISE, "by": by})
    assert at.cap() == CAP + by


async def test_a_raise_and_its_cap_are_one_transaction(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Desk(store)

    def fail(*_: object, **__: object) -> None:
        raise ValueError("a fault in between")

    with monkeypatch.context() as broken:
        broken.setattr(budgets, "raise_cap", fail)
        with pytest.raises(ValueError, match="in between"):
            await at.decide(RAISE)
    await at.decide(RAISE)
    assert at.cap() == CAP + 50


def test_of_two_that_raise_at_once_one_counts(store: Store, database_url: str) -> None:
    """Each on a store of its own, as two processes have."""
    at = Desk(store)
    said: list[object] = []

    def raising(by: int) -> Callable[[], None]:
        def act() -> None:
            with Store.open(database_url) as other:
                runtime = Runtime(other, Checkpointer(other), Catalog.of())
                try:
                    asyncio.run(runtime.decide(at.gate.id, {**RAISE, "by": by}, by="olga"))
                except PenstockError as error:
                    said.append(error)
                else:
                    said.append(by)

        return act

    race([raising(by) for by in (40, 41, 42, 43)])
    (counted,) = [each for each in said if isinstance(each, int)]
    assert [type(each) for each in said if not isinstance(each, int)] == [GateClosed] * 3
    assert at.cap() == CAP + counted


def test_a_raise_against_a_cancellation_does_both_or_one(store: Store, database_url: str) -> None:
    at = Desk(store)
    at.park()
    refused: list[PenstockError] = []

    def raising() -> None:
        with Store.open(database_url) as other:
            runtime = Runtime(other, Checkpointer(other), Catalog.of())
            try:
                asyncio.run(runtime.decide(at.gate.id, RAISE, by="olga"))
            except PenstockError as error:
                refused.append(error)

    def cancelling() -> None:
        with Store.open(database_url) as other:
            runtime = Runtime(other, Checkpointer(other), Catalog.of())
            asyncio.run(runtime.cancel(at.fence.run_id, by="olga"))

    race([raising, cancelling])
    run = store.read_blocking(lambda tx: runs.get(tx, at.fence.run_id))
    assert run.status is RunStatus.CANCELLED
    assert [type(each) for each in refused] in ([], [GateClosed])
    assert at.cap() == CAP + (0 if refused else 50)
