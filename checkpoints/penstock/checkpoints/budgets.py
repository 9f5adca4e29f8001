"""Budgets in the store. Each function takes part in its caller's transaction.

The most that a call may use is held on all its accounts or on none, by updates that contain their
own guards: nothing is read first and trusted later, so parallel branches and several workers cannot
spend the same amount twice. A hold ends once, whoever ends it and however often.

On PostgreSQL an account that several runs share is changed under one lock, taken before any
account: of two transactions with many changes each, none then waits for the other.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from penstock.checkpoints import audit, budget_sql, spending, steps
from penstock.checkpoints.budget_sql import hold_of
from penstock.checkpoints.schema import budget_accounts, budget_holds
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import (
    CALL_UNITS,
    Account,
    AccountKind,
    AccountStatement,
    Amounts,
    Balance,
    Budget,
    Hold,
    HoldKind,
    HoldStatus,
    OnExhaustion,
    Shortfall,
    Unit,
    run_account,
    run_of_account,
)
from penstock.contracts.errors import OverBudget
from penstock.contracts.ids import AccountId, RunId
from penstock.contracts.run import Fence, Run

_SHARED_LOCK = 0x62756467
# PostgreSQL: the advisory lock for changes of shared accounts.


def account_of(run: Run, budget: Budget) -> Account:
    """Return a run's account, to be opened with `budget` where it has none yet."""
    return Account(id=run_account(run.id), kind=AccountKind.RUN, tenant=run.tenant, budget=budget)


def open_account(connection: Connection, account: Account) -> None:
    """Open an account with the caps of its budget; one that is open is left as it is."""
    budget = account.budget
    nothing = {f"{part}_{unit}": 0 for part in ("spent", "held") for unit in CALL_UNITS}
    expires_s = budget.gate_expires_s
    budget_sql.open_account.execute(
        connection,
        {
            **nothing,
            **{f"cap_{unit}": cap for unit, cap in budget.caps.items()},
            "id": account.id,
            "tenant": account.tenant,
            "kind": account.kind,
            "money_currency": None if budget.money is None else budget.money.currency,
            "tool_spend_currency": (
                None if budget.tool_spend is None else budget.tool_spend.currency
            ),
            "on_exhaustion": budget.on_exhaustion or OnExhaustion.FAIL,
            "gate_expires_ms": None if expires_s is None else round(expires_s * 1000),
        },
    )


def reserve(
    connection: Connection,
    hold_id: str,
    accounts: Sequence[Account],
    worst: Amounts,
    *,
    fence: Fence,
    kind: HoldKind,
    name: str,
) -> bool:
    """Hold what a call may use at most; return whether it is held by this, and was not before.

    `name` is that of the tool or the model. Whoever calls this holds the lease of the run.

    Raises:
        OverBudget: it does not fit on one of the accounts. The transaction, or its savepoint, has
            to be rolled back.
    """
    _lock(connection, len(accounts))
    params = {
        "id": hold_id,
        "run_id": fence.run_id,
        "epoch": fence.epoch,
        "kind": kind,
        "name": name,
        "accounts": json.dumps([account.id for account in accounts]),
        "is_priced": int(worst.is_priced),
        **_params("worst", worst),
    }
    if budget_sql.hold.first(connection, params) is None:
        return False
    for account in accounts:
        while budget_sql.reserve.first(connection, {**params, "account": account.id}) is None:
            found = statement(connection, account.id)
            if found is None:
                open_account(connection, account)
            elif (short := shortfall(found, worst)) is not None:
                raise OverBudget(short, name)
            # Another call has released its hold meanwhile: try again.
    return True


def shortfall(found: AccountStatement, worst: Amounts) -> Shortfall | None:
    """Return the first unit of an account that does not hold what a call may use at most."""
    wanted = _params("worst", worst)
    for each in found.balances:
        amount = wanted.get(f"worst_{each.unit}")
        if each.left is None or amount is None:
            continue
        currency = wanted.get(f"{each.unit}_currency")
        is_priced = worst.is_priced or each.unit is not Unit.MONEY
        is_same = amount == 0 or currency == each.currency
        if amount > each.left or not is_priced or not is_same:
            return Shortfall(
                account=found.id,
                kind=found.kind,
                unit=each.unit,
                left=each.left,
                wanted=amount,
                currency=each.currency,
                wanted_currency=currency,
                is_priced=is_priced,
                cap=each.cap,
            )
    return None


def settle(connection: Connection, hold_id: str, used: Amounts) -> bool:
    """End a hold: record what was really used, even if that is more than was held.

    Money and tool spend are in the currencies of what was held. Returns whether it was held still.
    """
    params = {"of_id": hold_id, **_params("used", used)}
    return _spend(connection, budget_sql.settle_used.first(connection, params))


def settle_whole(connection: Connection, hold_id: str, *, happened: bool = True) -> bool:
    """End a hold: all that was held was used, or nothing but the call itself.

    Returns whether it was held still.
    """
    params = {"of_id": hold_id, "happened": int(happened)}
    return _spend(connection, budget_sql.settle_whole.first(connection, params))


def take_over(connection: Connection, fence: Fence) -> int:
    """End the holds of model calls from older epochs, and return how many there were.

    Their worker is gone, and the models may have answered: what was held counts as used. Holds of
    tool calls stay until their effects are settled.
    """
    left = select(budget_holds.c.id).where(
        budget_holds.c.run_id == fence.run_id,
        budget_holds.c.status == HoldStatus.HELD,
        budget_holds.c.kind == HoldKind.MODEL,
        budget_holds.c.epoch < fence.epoch,
    )
    ids = connection.execute(left).scalars().all()
    return sum(settle_whole(connection, hold_id) for hold_id in sorted(ids))


def statement(connection: Connection, account_id: AccountId) -> AccountStatement | None:
    """Return how an account stands, if it is open."""
    row = budget_sql.account.first(connection, {"account": account_id})
    if row is None:
        return None
    run_id = run_of_account(account_id)
    return _statement(row, steps_count=0 if run_id is None else steps.count(connection, run_id))


def driving_balances(connection: Connection, run_id: RunId) -> Mapping[Unit, Balance]:
    """Return a run's balances of steps and time; nothing without an account.

    They are those of `statement`, in one small query.
    """
    row = budget_sql.driven.first(connection, {"account": run_account(run_id), "run": run_id})
    if row is None:
        return {}
    return {
        Unit.STEPS: _driven(Unit.STEPS, row["cap_steps"], row["executed"]),
        Unit.WALL_MS: _driven(Unit.WALL_MS, row["cap_wall_ms"], row["spent_wall_ms"]),
    }


def raise_cap(
    connection: Connection, account_id: AccountId, unit: Unit, *, by: int, at: datetime, actor: str
) -> None:
    """Raise a cap of an account, and write down who did, and by how much.

    Raises:
        ValueError: the account has no such cap.
    """
    row = budget_sql.raises[unit].first(connection, {"account": account_id, "by": by})
    if row is None:
        raise ValueError(f"account `{account_id}` has no cap on {unit} that could be raised")
    audit.append(
        connection,
        AuditEvent(
            tenant=row["tenant"],
            at=at,
            actor=actor,
            action="budget.raised",
            run_id=run_of_account(account_id),
            detail={"cap": unit, "by": by, "to": row[f"cap_{unit}"]},
        ),
    )


def record_driven_time(connection: Connection, run: Run, *, until: datetime) -> None:
    """Add the time since a run was claimed to its account."""
    ms = max(0, round((until - run.changed_at).total_seconds() * 1000))
    driven = budget_sql.add_driven_time.execute(
        connection, {"account": run_account(run.id), "ms": ms}
    )
    if ms and driven.rowcount == 1:
        spending.add(connection, run.id, {"used_wall_ms": ms}, at=until)


def days(connection: Connection, tenant: str, *, limit: int) -> Sequence[AccountStatement]:
    """Return how a tenant's days stand, the last one first."""
    rows = connection.execute(
        select(budget_accounts)
        .where(budget_accounts.c.tenant == tenant, budget_accounts.c.kind == AccountKind.DAY)
        .order_by(budget_accounts.c.id.desc())
        .limit(limit)
    )
    return [_statement(row) for row in rows.mappings()]


def holds(connection: Connection, run_id: RunId) -> Sequence[Hold]:
    """Return what the calls of a run hold or have used, in the order in which they were made."""
    of_run = select(budget_holds).where(budget_holds.c.run_id == run_id)
    rows = connection.execute(of_run.order_by(budget_holds.c.held_at, budget_holds.c.id))
    return [hold_of(row) for row in rows.mappings()]


def _lock(connection: Connection, account_count: int) -> None:
    if account_count > 1 and connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SHARED_LOCK)))


def _spend(connection: Connection, ended: Mapping[str, Any] | None) -> bool:
    if ended is None:
        return False
    accounts = json.loads(ended["accounts"])
    _lock(connection, len(accounts))
    for account in accounts:
        budget_sql.spend.execute(connection, {**ended, "account": account})
    spending.add(connection, ended["run_id"], ended, at=ended["settled_at"])
    return True


def _params(part: str, amounts: Amounts) -> Mapping[str, Any]:
    money, spend = amounts.money, amounts.tool_spend
    return {
        f"{part}_{Unit.TOKENS}": amounts.tokens,
        f"{part}_{Unit.MONEY}": 0 if money is None else money.micros,
        f"{part}_{Unit.TOOL_CALLS}": amounts.tool_calls,
        f"{part}_{Unit.TOOL_SPEND}": 0 if spend is None else spend.minor,
        "money_currency": None if money is None else money.currency,
        "tool_spend_currency": None if spend is None else spend.currency,
    }


def _statement(row: Mapping[Any, Any], *, steps_count: int = 0) -> AccountStatement:
    kind, expires_ms = AccountKind(row["kind"]), row["gate_expires_ms"]
    return AccountStatement(
        id=AccountId(row["id"]),
        kind=kind,
        balances=tuple(
            Balance(
                unit=unit,
                cap=row[f"cap_{unit}"],
                spent=steps_count if unit is Unit.STEPS else row[f"spent_{unit}"],
                held=row.get(f"held_{unit}", 0),
                currency=row.get(f"{unit}_currency"),
            )
            for unit in (CALL_UNITS if kind is AccountKind.DAY else Unit)
        ),
        on_exhaustion=OnExhaustion(row["on_exhaustion"]),
        gate_expires_s=None if expires_ms is None else expires_ms / 1000,
    )


def _driven(unit: Unit, cap: int | None, spent: int) -> Balance:
    return Balance(unit=unit, cap=cap, spent=spent, held=0, currency=None)
