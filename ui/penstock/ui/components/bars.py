"""What a budget has left, as bars."""

import streamlit as st

from penstock.contracts.budget import MICROS, Money, Standing, Statement, Unit
from penstock.contracts.policy import Spend
from penstock.policies.facts.money import spell
from penstock.ui.cli import texts

_NAMES = {
    Unit.TOKENS: "Tokens",
    Unit.MONEY: "Money for models",
    Unit.TOOL_CALLS: "Tool calls",
    Unit.TOOL_SPEND: "Spent by tools",
    Unit.WALL_MS: "Time at work",
}


def budget(statement: Statement) -> None:
    """Show what may be used, has been used and is held, unit by unit, where there is a cap."""
    capped = [each for each in statement.standings if each.cap is not None]
    used = [each for each in statement.standings if each.cap is None and each.spent]
    if not capped and not used:
        return
    columns = st.columns(max(len(capped) + len(used), 3))
    for column, each in zip(columns, [*capped, *used], strict=False):
        with column:
            held = f", {amount(each, each.held)} held" if each.held else ""
            name = _NAMES.get(each.unit, str(each.unit).replace("_", " ").capitalize())
            if each.cap is None:
                st.caption(f"**{name}**: {amount(each, each.spent)}{held}, no cap")
                continue
            taken = (each.spent + each.held) / max(each.cap, 1)
            st.progress(min(max(taken, 0.0), 1.0), text=f"{name}")
            st.caption(f"{amount(each, each.spent)} of {amount(each, each.cap)}{held}")


def amount(standing: Standing, number: int) -> str:
    """Return an amount of a unit as people write it."""
    match standing.unit:
        case Unit.MONEY:
            return money(Money(micros=number, currency=standing.currency or ""))
        case Unit.TOOL_SPEND if standing.currency:
            return spell(Spend(minor=number, currency=standing.currency))
        case Unit.WALL_MS:
            return texts.age(number / 1000)
        case _:
            return f"{number:,}"


def money(amount: Money) -> str:
    """Return money as people write it."""
    return f"{amount.micros / MICROS:,.4f} {amount.currency}".rstrip()
