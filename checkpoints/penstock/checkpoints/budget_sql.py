"""The statements that reserve and settle budgets, each compiled once, and the rows of holds."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.sql.dml import Insert, ReturningInsert, ReturningUpdate, Update

from penstock.checkpoints import steps
from penstock.checkpoints.schema import budget_accounts, budget_holds
from penstock.checkpoints.statements import Prepared, database_now, insert_or_keep, prepared
from penstock.contracts.budget import CALL_UNITS, Amounts, Hold, HoldKind, HoldStatus, Money, Unit
from penstock.contracts.ids import RunId
from penstock.contracts.policy import Spend

_OF_ACCOUNT = (
    *("id", "tenant", "kind", "money_currency", "tool_spend_currency"),
    *(f"{part}_{unit}" for part in ("cap", "spent", "held") for unit in CALL_UNITS),
    *("cap_steps", "cap_wall_ms", "on_exhaustion", "gate_expires_ms"),
)
_OF_HOLD = (
    *("id", "run_id", "epoch", "kind", "name", "accounts", "is_priced"),
    *("money_currency", "tool_spend_currency"),
    *(f"worst_{unit}" for unit in CALL_UNITS),
)
_WITH_CURRENCY = frozenset({Unit.MONEY, Unit.TOOL_SPEND})


@prepared(*_OF_ACCOUNT)
def open_account(dialect: Dialect) -> Insert:
    """Open an account, if there is none with its id."""
    return insert_or_keep(dialect, budget_accounts).inline()


@prepared()
def hold(dialect: Dialect) -> ReturningInsert[Any]:
    """Record what a call holds; no row if it holds something already."""
    insert = (sqlite_dialect if dialect.name == "sqlite" else postgresql).insert(budget_holds)
    insert = insert.values(
        **{name: _param(name) for name in _OF_HOLD},
        status=HoldStatus.HELD,
        held_at=database_now(dialect),
    )
    renewed = {name: insert.excluded[name] for name in (*_OF_HOLD, "status", "held_at")}
    return insert.on_conflict_do_update(
        index_elements=["id"],
        set_={**renewed, "settled_at": None, **{f"used_{unit}": None for unit in CALL_UNITS}},
        where=budget_holds.c.status != HoldStatus.HELD,
    ).returning(budget_holds.c.id)


@prepared()
def reserve(_: Dialect) -> ReturningUpdate[Any]:
    """Hold the worst case on the account `account`, if all of it fits."""
    account = budget_accounts.c
    return (
        update(budget_accounts)
        .where(account.id == bindparam("account"), *(_fits(unit) for unit in CALL_UNITS))
        .values(
            **{
                f"held_{unit}": account[f"held_{unit}"] + _in_currency(unit, f"worst_{unit}")
                for unit in CALL_UNITS
            },
            **{f"{unit}_currency": _currency(unit) for unit in _WITH_CURRENCY},
        )
        .returning(account.id)
    )


@prepared()
def settle_whole(dialect: Dialect) -> ReturningUpdate[Any]:
    """End the hold `of_id`: its call has happened, or (`happened` 0) has not.

    It counts as a call in either case.
    """
    factor = bindparam("happened", type_=Integer)
    used = {
        f"used_{unit}": budget_holds.c[f"worst_{unit}"] * factor
        for unit in CALL_UNITS
        if unit is not Unit.TOOL_CALLS
    }
    return _settle(dialect, {**used, "used_tool_calls": budget_holds.c.worst_tool_calls})


@prepared()
def settle_used(dialect: Dialect) -> ReturningUpdate[Any]:
    """End the hold `of_id`: so much was used."""
    used = {name: _param(name) for name in (f"used_{unit}" for unit in CALL_UNITS)}
    return _settle(dialect, used)


@prepared()
def spend(_: Dialect) -> Update:
    """Put what was used on the account `account`, in place of what was held."""
    account = budget_accounts.c
    return (
        update(budget_accounts)
        .where(account.id == bindparam("account"))
        .values(
            **{
                f"held_{unit}": account[f"held_{unit}"] - _in_currency(unit, f"worst_{unit}")
                for unit in CALL_UNITS
            },
            **{
                f"spent_{unit}": account[f"spent_{unit}"] + _in_currency(unit, f"used_{unit}")
                for unit in CALL_UNITS
            },
        )
    )


@prepared()
def account(_: Dialect) -> Select[Any]:
    """Return the account `account`."""
    return select(*budget_accounts.c).where(budget_accounts.c.id == bindparam("account"))


@prepared()
def driven(_: Dialect) -> Select[Any, Any, Any, Any]:
    """Return what driving the run `run`, of the account `account`, has used and may use."""
    caps = budget_accounts.c
    return select(
        caps.cap_steps,
        caps.cap_wall_ms,
        caps.spent_wall_ms,
        steps.executed().scalar_subquery().label("executed"),
    ).where(caps.id == bindparam("account"))


@prepared()
def add_driven_time(_: Dialect) -> Update:
    """Count `ms` for which the run of the account `account` was driven."""
    spent = budget_accounts.c.spent_wall_ms
    return (
        update(budget_accounts)
        .where(budget_accounts.c.id == bindparam("account"))
        .values(spent_wall_ms=spent + bindparam("ms", type_=spent.type))
    )


def hold_of(row: Mapping[Any, Any]) -> Hold:
    """Return the hold that a row is."""
    status = HoldStatus(row["status"])
    return Hold(
        id=row["id"],
        run_id=RunId(row["run_id"]),
        epoch=row["epoch"],
        kind=HoldKind(row["kind"]),
        name=row["name"],
        status=status,
        worst=_amounts(row, "worst"),
        used=None if status is HoldStatus.HELD else _amounts(row, "used"),
    )


def _param(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=budget_holds.c[name].type)


def _currency(unit: Unit) -> ColumnElement[Any]:
    """Return the currency in which an account keeps a unit: the first one that was used."""
    column = budget_accounts.c[f"{unit}_currency"]
    wanted = bindparam(f"{unit}_currency", type_=Text)
    return case((column.is_(None), wanted), else_=column)


def _in_currency(unit: Unit, name: str) -> ColumnElement[Any]:
    """Return how much of an amount counts: nothing where it is in another currency."""
    amount = bindparam(name, type_=budget_accounts.c.spent_tokens.type)
    if unit not in _WITH_CURRENCY:
        return amount
    is_ours = _currency(unit) == bindparam(f"{unit}_currency", type_=Text)
    return case((is_ours, amount), else_=0)


def _fits(unit: Unit) -> ColumnElement[bool]:
    cap, wanted = budget_accounts.c[f"cap_{unit}"], _param(f"worst_{unit}")
    taken = budget_accounts.c[f"spent_{unit}"] + budget_accounts.c[f"held_{unit}"]
    fits = taken + wanted <= cap
    if unit in _WITH_CURRENCY:
        named = bindparam(f"{unit}_currency", type_=Text)
        fits = and_(fits, or_(wanted == 0, budget_accounts.c[f"{unit}_currency"] == named))
    if unit is Unit.MONEY:
        fits = and_(fits, bindparam("is_priced", type_=Integer) == 1)
    return or_(cap.is_(None), fits)


def _settle(dialect: Dialect, used: dict[str, Any]) -> ReturningUpdate[Any]:
    return (
        update(budget_holds)
        .where(
            budget_holds.c.id == bindparam("of_id"),
            budget_holds.c.status == HoldStatus.HELD,
        )
        .values(status=HoldStatus.SETTLED, settled_at=database_now(dialect), **used)
        .returning(*budget_holds.c)
    )


def _raise(unit: Unit) -> Prepared:
    @prepared()
    def raise_(_: Dialect) -> ReturningUpdate[Any, Any]:
        cap = budget_accounts.c[f"cap_{unit}"]
        return (
            update(budget_accounts)
            .where(budget_accounts.c.id == bindparam("account"), cap.is_not(None))
            .values({cap: cap + bindparam("by", type_=cap.type)})
            .returning(budget_accounts.c.tenant, cap)
        )

    return raise_


raises: Mapping[Unit, Prepared] = MappingProxyType({unit: _raise(unit) for unit in Unit})
"""Of each unit: raise the cap of the account `account` `by` so much, if it has one."""


def _amounts(row: Mapping[Any, Any], part: str) -> Amounts:
    money, spend = row["money_currency"], row["tool_spend_currency"]
    return Amounts(
        tokens=row[f"{part}_{Unit.TOKENS}"],
        money=None if money is None else Money(micros=row[f"{part}_{Unit.MONEY}"], currency=money),
        is_priced=bool(row["is_priced"]),
        tool_calls=row[f"{part}_{Unit.TOOL_CALLS}"],
        tool_spend=(
            None if spend is None else Spend(minor=row[f"{part}_{Unit.TOOL_SPEND}"], currency=spend)
        ),
    )
