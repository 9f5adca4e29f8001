"""Rows of holds as what they are."""

from collections.abc import Mapping
from typing import Any

from penstock.contracts.budget import Amounts, Hold, HoldKind, HoldStatus, Money, Unit
from penstock.contracts.ids import RunId
from penstock.contracts.policy import Spend


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
