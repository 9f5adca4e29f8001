"""What a budget has left, as bars."""

import streamlit as st

from penstock.contracts.budget import AccountStatement, Balance, Money, Unit
from penstock.contracts.spend import Measure
from penstock.ui import measures


def budget(statement: AccountStatement) -> None:
    """Show what may be used, has been used and is held, unit by unit, where there is a cap."""
    capped = [each for each in statement.standings if each.cap is not None]
    used = [each for each in statement.standings if each.cap is None and each.spent]
    if not capped and not used:
        return
    columns = st.columns(max(len(capped) + len(used), 3))
    for column, each in zip(columns, [*capped, *used], strict=False):
        with column:
            held = f", {amount(each, each.held)} held" if each.held else ""
            name = measures.measure_name(Measure(unit=each.unit))
            if each.cap is None:
                st.caption(f"**{name}**: {amount(each, each.spent)}{held}, no cap")
                continue
            taken = (each.spent + each.held) / max(each.cap, 1)
            st.progress(min(max(taken, 0.0), 1.0), text=f"{name}")
            st.caption(f"{amount(each, each.spent)} of {amount(each, each.cap)}{held}")


def amount(standing: Balance, number: int) -> str:
    """Return an amount of a unit as people write it."""
    return measures.amount_text(Measure(unit=standing.unit, currency=standing.currency), number)


def money(amount: Money) -> str:
    """Return money as people write it."""
    return measures.amount_text(Measure(unit=Unit.MONEY, currency=amount.currency), amount.micros)
