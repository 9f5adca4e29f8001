"""`penstock budget` and `spend`: what a run may use and has used, and what all runs have used."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from penstock.contracts.spend import DailySpend, SpendBy, SpendFilter
from penstock.ui.cli.options import AsJson, RunArgument
from penstock.ui.cli.output import Output, table
from penstock.ui.cli.rendering import status_text
from penstock.ui.measures import amount_text, first_day, measure_name, measures_of, total
from penstock.ui.project import Project, open_project, read_settings
from penstock.ui.views import budgets as views
from penstock.ui.views.budgets import amounts_view

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

BAR_WIDTH = 24
"""Characters of a bar."""

_UNIT_NAMES = {Unit.WALL_MS: "time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _CallTotal:
    """What all calls of one tool, or one model, have used and hold."""

    name: str
    kind: str
    count: int
    used: Sequence[Amounts]
    held: Sequence[Amounts]


def budget(*, run_id: RunArgument, as_json: AsJson = False) -> None:
    """Show what a run may use, has used and holds, and what its calls came to."""
    from rich.text import Text
    from rich.tree import Tree

    with open_project(read_settings()) as project:
        run, own, calls, shared = asyncio.run(_find(project, run_id))
    accounts = [*([] if own is None else [own]), *shared.values()]
    document = views.BudgetDetails(
        run=run.id,
        accounts=[views.account_view(each) for each in accounts],
        calls=[
            views.CallTotalView(
                name=each.name,
                kind=each.kind,
                count=each.count,
                used=amounts_view(each.used),
                held=amounts_view(each.held),
            )
            for each in calls
        ],
    )
    tree = Tree(Text.assemble(f"run {run.id}  ", status_text(run.status)))
    if own is None:
        tree.add("it has called nothing since there are budgets")
    else:
        _draw(tree, own)
    if calls:
        branch = tree.add("calls")
        for each in calls:
            branch.add(_call_text(each))
    text: list[Any] = [tree]
    for name, account in shared.items():
        whole = Tree(name)
        _draw(whole, account)
        text.append(whole)
    Output(as_json=as_json).answer(document, *text)


def spend(
    *,
    by: Annotated[SpendBy, typer.Option(help="What is added up by.")] = SpendBy.DAY,
    days: Annotated[int, typer.Option(min=1, max=3660, help="So many days, today the last.")] = 30,
    graph: Annotated[str | None, typer.Option(help="Only of this graph.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what runs have used, by day or by graph; days are of UTC."""
    from penstock.checkpoints import spending

    settings, output = read_settings(), Output(as_json=as_json)
    wanted = SpendFilter(tenant=tenant or settings.tenant, since=first_day(days), graph=graph)
    with open_project(settings) as project:
        found = project.store.read_blocking(lambda connection: spending.by_day(connection, wanted))
    keys = sorted({_key(each, by) for each in found})
    sums = {key: total([each for each in found if _key(each, by) == key]) for key in keys}
    whole = total(found)
    document = views.SpendReport(
        tenant=wanted.tenant,
        since=wanted.since.isoformat(),
        by=by,
        rows=[views.spend_row(by, key, sums[key]) for key in keys],
        total=views.spend_sums(whole),
    )
    if not found:
        output.answer(document, f"no run of tenant `{wanted.tenant}` has used anything since then")
        return
    measures = measures_of(found)
    rows = [
        (name, *(amount_text(each, used[each]) if each in used else "" for each in measures))
        for name, used in [*sums.items(), ("in all", whole)]
    ]
    drawn = table(
        "day (UTC)" if by is SpendBy.DAY else "graph",
        *(measure_name(each) for each in measures),
        rows=rows,
    )
    output.answer(document, drawn)


async def _find(
    project: Project, typed: str
) -> tuple[Run, AccountStatement | None, Sequence[_CallTotal], Mapping[str, AccountStatement]]:
    """Return a run, its account, its calls, and by their names the accounts that it shares."""
    run = await project.run(typed)
    own, holds = await project.queries.budget(run.id)
    shared: dict[str, AccountStatement] = {}
    parent_id = run.parent_id
    while parent_id is not None:
        account, _ = await project.queries.budget(parent_id)
        if account is not None:
            shared[f"run {parent_id}, above it"] = account
        parent_id = (await project.queries.get(parent_id)).parent_id
    for day in await project.queries.days(tenant=run.tenant, limit=1):
        shared[f"tenant {run.tenant} on {day.id.split(':')[1]}"] = day
    return run, own, _call_totals(holds), shared


def _call_totals(holds: Sequence[Hold]) -> Sequence[_CallTotal]:
    names = dict.fromkeys((hold.kind, hold.name) for hold in holds)
    found: list[_CallTotal] = []
    for kind, name in names:
        theirs = [hold for hold in holds if (hold.kind, hold.name) == (kind, name)]
        found.append(
            _CallTotal(
                name=name,
                kind=kind,
                count=len(theirs),
                used=[hold.used for hold in theirs if hold.used is not None],
                held=[hold.worst for hold in theirs if hold.status is HoldStatus.HELD],
            )
        )
    return found


def _draw(tree: "Tree", account: AccountStatement) -> None:
    from rich.text import Text

    for each in account.balances:
        tree.add(
            Text.assemble(
                f"{_UNIT_NAMES.get(each.unit, each.unit.replace('_', ' ')):<11} ",
                _bar(each),
                f" {_amount(each.unit, each.spent, each.currency)}",
                f" of {_amount(each.unit, each.cap, each.currency)}",
                f", {_amount(each.unit, each.held, each.currency)} held" if each.held else "",
            )
        )


def _bar(balance: Balance) -> "Text":
    """Draw what is spent, and what is held, as parts of the cap."""
    from rich.text import Text

    if balance.cap is None:
        return Text("·" * BAR_WIDTH, style="dim")
    cap = max(balance.cap, 1)
    is_over = balance.left is not None and balance.left < 0
    spent = min(BAR_WIDTH, _cells(balance.spent, cap))
    held = min(BAR_WIDTH - spent, _cells(balance.held, cap))
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


def _call_text(total: _CallTotal) -> str:
    used = amounts_view(total.used)
    parts = [f"{total.count} x {total.kind} {total.name}"]
    if used.tokens:
        parts.append(f"{used.tokens:,} tokens")
    parts += [
        _amount(Unit.MONEY, micros, currency) for currency, micros in used.money_micros.items()
    ]
    parts += [
        _amount(Unit.TOOL_SPEND, minor, currency)
        for currency, minor in used.tool_spend_minor.items()
    ]
    if total.held:
        parts.append(f"{len(total.held)} held")
    return ", ".join(parts)


def _key(used: DailySpend, by: SpendBy) -> str:
    return used.day.isoformat() if by is SpendBy.DAY else used.graph
