"""Runs that spend, as their calls would have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from penstock.checkpoints import Store, budgets, gates, runs
from penstock.contracts.budget import (
    Account,
    AccountKind,
    Amounts,
    HoldKind,
    Shortfall,
    Unit,
    run_account,
)
from penstock.contracts.ids import GateId
from penstock.contracts.run import Failure, FailureCode, Fence, RunStatus
from support.runs import NOW, Runs
from support.spenders import OPEN


@dataclass(frozen=True, slots=True)
class Spender:
    """A run that spends, with the accounts of those above it."""

    fence: Fence
    accounts: Sequence[Account]


def spender(
    store: Store, name: str, *, graph: str = "demo", tenant: str = "acme", above: Any = None
) -> Spender:
    """Have a run that spends; what it spends is on the accounts of those above it too."""
    parent_id = None if above is None else above.fence.run_id
    fence = Runs(store).start(name, graph=graph, tenant=tenant, parent_id=parent_id)
    own = Account(id=run_account(fence.run_id), kind=AccountKind.RUN, tenant=tenant, budget=OPEN)
    accounts = [own, *(() if above is None else above.accounts)]
    store.write_blocking(lambda tx: budgets.open_account(tx, own))
    return Spender(fence, accounts)


def use(store: Store, who: Spender, name: str, worst: Amounts, used: Amounts | None = None) -> None:
    """Make a call that has used something; of which None is known, the worst."""

    def change(connection: Connection) -> None:
        budgets.reserve(
            connection,
            name,
            who.accounts,
            worst,
            fence=who.fence,
            kind=HoldKind.TOOL,
            name="tried",
        )
        if used is None:
            budgets.settle_whole(connection, name)
        else:
            budgets.settle(connection, name, used)

    store.write_blocking(change)


def drive(store: Store, who: Spender, ms: int) -> None:
    """Have a worker drive a run for so long."""

    def change(connection: Connection) -> None:
        run = runs.get(connection, who.fence.run_id)
        budgets.record_driven_time(
            connection, run, until=run.changed_at + timedelta(milliseconds=ms)
        )

    store.write_blocking(change)


def hold(store: Store, who: Spender) -> None:
    """Have a call hold seven tokens under the id `held`."""
    store.write_blocking(
        lambda tx: budgets.reserve(
            tx,
            "held",
            who.accounts,
            tokens(7),
            fence=who.fence,
            kind=HoldKind.MODEL,
            name="gpt-4o",
        )
    )


def tokens(count: int) -> Amounts:
    """Return so many tokens."""
    return Amounts(tokens=count)


def came_to_a_cap(store: Store, asked: Spender, ended: Spender) -> GateId:
    """Have one run wait at a gate about its time, and a second later another end for its budget."""
    account = asked.accounts[0].id
    short = Shortfall(
        account=account,
        kind=AccountKind.RUN,
        unit=Unit.WALL_MS,
        left=0,
        wanted=1,
        currency=None,
        cap=10,
    )
    failure = Failure(
        code=FailureCode.BUDGET_EXHAUSTED, message="no tokens are left", redrivable=False
    )
    later = NOW + timedelta(seconds=1)

    def change(connection: Connection) -> GateId:
        run, found = (
            runs.get(connection, asked.fence.run_id),
            budgets.statement(connection, account),
        )
        assert found is not None
        gate = gates.open_budget_gate(connection, run, found, short, name="desk", at=NOW, actor="w")
        runs.move(connection, ended.fence, RunStatus.FAILED, at=later, actor="w", failure=failure)
        return gate.id

    return store.write_blocking(change)
