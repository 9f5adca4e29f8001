"""Views of budgets and of what was spent: accounts, and sums of calls and of days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.contracts.budget import AccountStatement, Amounts
from penstock.contracts.spend import Measure, SpendBy


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """How one cap of an account stands."""

    unit: str
    cap: int | None
    spent: int
    held: int
    left: int | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account of a run, or of a tenant's day."""

    id: str
    kind: str
    units: Sequence[BalanceView]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountsView:
    """What several calls come to together."""

    tokens: int
    money_micros: Mapping[str, int]
    """By currency, as what follows."""
    tool_calls: int
    tool_spend_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTotalView:
    """What all calls of one tool, or one model, have used and hold."""

    name: str
    kind: str
    count: int
    used: AmountsView
    held: AmountsView


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDetails:
    """The budget of a run, those that it shares, and its calls."""

    run: str
    accounts: Sequence[AccountView]
    calls: Sequence[CallTotalView]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendReport:
    """What the runs of a tenant have used, by day or by graph."""

    tenant: str
    since: str
    by: str
    rows: Sequence[Mapping[str, Any]]
    """Each with its day or graph, under the name of what is added up by, and what was `used`."""
    total: Mapping[str, Any]


def account_view(account: AccountStatement) -> AccountView:
    """Return the view of an account."""
    return AccountView(
        id=account.id,
        kind=account.kind,
        units=[
            BalanceView(
                unit=each.unit,
                cap=each.cap,
                spent=each.spent,
                held=each.held,
                left=each.left,
                currency=each.currency,
            )
            for each in account.balances
        ],
    )


def amounts_view(amounts: Sequence[Amounts]) -> AmountsView:
    """Add up amounts, those of each currency by themselves."""
    money: dict[str, int] = {}
    spend: dict[str, int] = {}
    for each in amounts:
        if each.money is not None:
            currency = each.money.currency
            money[currency] = money.get(currency, 0) + each.money.micros
        if each.tool_spend is not None:
            currency = each.tool_spend.currency
            spend[currency] = spend.get(currency, 0) + each.tool_spend.minor
    return AmountsView(
        tokens=sum(each.tokens for each in amounts),
        money_micros=money,
        tool_calls=sum(each.tool_calls for each in amounts),
        tool_spend_minor=spend,
    )


def spend_row(by: SpendBy, key: str, sums: Mapping[Measure, int]) -> Mapping[str, Any]:
    """Return what was used on a day, or by a graph."""
    return {by: key, "used": spend_sums(sums)}


def spend_sums(sums: Mapping[Measure, int]) -> Mapping[str, Any]:
    """Return sums under the name of each unit, of money under each currency."""
    found: dict[str, Any] = {}
    for measure, amount in sorted(sums.items(), key=lambda item: str(item[0])):
        if measure.currency is None:
            found[measure.unit] = amount
        else:
            found.setdefault(measure.unit, {})[measure.currency] = amount
    return found
