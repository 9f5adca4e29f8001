"""`penstock budget`: what a run may use, has used, and holds, as a tree with bars."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from rich.tree import Tree

from penstock.contracts.budget import (
    MICROS,
    AccountStatement,
    Amounts,
    Balance,
    Hold,
    HoldStatus,
    Unit,
)
from penstock.contracts.run import Run
from penstock.runs.settings import Settings
from penstock.ui.cli import rendering
from penstock.ui.cli.output import Output
from penstock.ui.project import Project, open_project

BAR_WIDTH = 24
"""Characters of a bar."""

_NAMES = {Unit.WALL_MS: "time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What all calls of one tool, or one model, have used and hold."""

    name: str
    kind: str
    count: int
    used: Sequence[Amounts]
    held: Sequence[Amounts]


def budget(settings: Settings, output: Output, *, typed: str) -> None:
    """Show the budget of a run, and those it shares: of runs above it, and of its tenant's day."""
    with open_project(settings) as desk:
        run, own, calls, shared = asyncio.run(_look(desk, typed))
    accounts = [*([] if own is None else [own]), *shared.values()]
    data: dict[str, Any] = {
        "run": run.id,
        "accounts": [of_account(each) for each in accounts],
        "calls": [
            {
                "name": each.name,
                "kind": each.kind,
                "count": each.count,
                "used": _sums(each.used),
                "held": _sums(each.held),
            }
            for each in calls
        ],
    }
    tree = Tree(Text.assemble(f"run {run.id}  ", rendering.status_text(run.status)))
    if own is None:
        tree.add("it has called nothing since there are budgets")
    else:
        _draw(tree, own)
    if calls:
        branch = tree.add("calls")
        for each in calls:
            branch.add(_call(each))
    said: list[Any] = [tree]
    for name, account in shared.items():
        whole = Tree(name)
        _draw(whole, account)
        said.append(whole)
    output.answer(data, *said)


async def _look(
    desk: Project, typed: str
) -> tuple[Run, AccountStatement | None, Sequence[Called], Mapping[str, AccountStatement]]:
    """Return a run, its account, its calls, and by their names the accounts that it shares."""
    run = await desk.run(typed)
    own, holds = await desk.runtime.budget(run.id)
    shared: dict[str, AccountStatement] = {}
    parent_id = run.parent_id
    while parent_id is not None:
        account, _ = await desk.runtime.budget(parent_id)
        if account is not None:
            shared[f"run {parent_id}, above it"] = account
        parent_id = (await desk.runtime.get(parent_id)).parent_id
    for day in await desk.runtime.days(tenant=run.tenant, limit=1):
        shared[f"tenant {run.tenant} on {day.id.split(':')[1]}"] = day
    return run, own, _grouped(holds), shared


def _grouped(holds: Sequence[Hold]) -> Sequence[Called]:
    names = dict.fromkeys((hold.kind, hold.name) for hold in holds)
    found: list[Called] = []
    for kind, name in names:
        theirs = [hold for hold in holds if (hold.kind, hold.name) == (kind, name)]
        found.append(
            Called(
                name=name,
                kind=kind,
                count=len(theirs),
                used=[hold.used for hold in theirs if hold.used is not None],
                held=[hold.worst for hold in theirs if hold.status is HoldStatus.HELD],
            )
        )
    return found


def _draw(tree: Tree, account: AccountStatement) -> None:
    for each in account.balances:
        tree.add(
            Text.assemble(
                f"{_NAMES.get(each.unit, each.unit.replace('_', ' ')):<11} ",
                _bar(each),
                f" {_amount(each.unit, each.spent, each.currency)}",
                f" of {_amount(each.unit, each.cap, each.currency)}",
                f", {_amount(each.unit, each.held, each.currency)} held" if each.held else "",
            )
        )


def _bar(standing: Balance) -> Text:
    """Draw what is spent, and what is held, as parts of the cap."""
    if standing.cap is None:
        return Text("·" * BAR_WIDTH, style="dim")
    cap = max(standing.cap, 1)
    is_over = standing.left is not None and standing.left < 0
    spent = min(BAR_WIDTH, _cells(standing.spent, cap))
    held = min(BAR_WIDTH - spent, _cells(standing.held, cap))
    return Text.assemble(
        ("█" * spent, "red" if is_over else "green"),
        ("▒" * held, "yellow"),
        ("░" * (BAR_WIDTH - spent - held), "dim"),
    )


def _cells(amount: int, cap: int) -> int:
    """Return how wide an amount is drawn; whatever there is can be seen."""
    return -(-amount * BAR_WIDTH // cap)


def _amount(unit: Unit, amount: int | None, currency: str | None) -> str:
    if amount is None:
        return "no cap"
    match unit:
        case Unit.MONEY:
            return f"{amount / MICROS:,.6f}".rstrip("0").rstrip(".") + f" {currency or ''}".rstrip()
        case Unit.TOOL_SPEND:
            return f"{amount:,} minor units {currency or ''}".rstrip()
        case Unit.WALL_MS:
            return f"{amount / 1000:,.1f} s"
        case _:
            return f"{amount:,}"


def _call(called: Called) -> str:
    used = _sums(called.used)
    parts = [f"{called.count} x {called.kind} {called.name}"]
    if used["tokens"]:
        parts.append(f"{used['tokens']:,} tokens")
    parts += [
        _amount(Unit.MONEY, micros, currency) for currency, micros in used["money_micros"].items()
    ]
    parts += [
        _amount(Unit.TOOL_SPEND, minor, currency)
        for currency, minor in used["tool_spend_minor"].items()
    ]
    if called.held:
        parts.append(f"{len(called.held)} held")
    return ", ".join(parts)


def _sums(amounts: Sequence[Amounts]) -> dict[str, Any]:
    money: dict[str, int] = {}
    spend: dict[str, int] = {}
    for each in amounts:
        if each.money is not None:
            currency = each.money.currency
            money[currency] = money.get(currency, 0) + each.money.micros
        if each.tool_spend is not None:
            currency = each.tool_spend.currency
            spend[currency] = spend.get(currency, 0) + each.tool_spend.minor
    return {
        "tokens": sum(each.tokens for each in amounts),
        "money_micros": money,
        "tool_calls": sum(each.tool_calls for each in amounts),
        "tool_spend_minor": spend,
    }


def of_account(account: AccountStatement) -> dict[str, Any]:
    """Return an account as JSON has it."""
    return {
        "id": account.id,
        "kind": account.kind,
        "units": [
            {
                "unit": each.unit,
                "cap": each.cap,
                "spent": each.spent,
                "held": each.held,
                "left": each.left,
                "currency": each.currency,
            }
            for each in account.balances
        ],
    }
