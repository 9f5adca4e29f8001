"""The shape of the commands that show what is known of runs, their calls and what they used."""

from typing import Annotated

import typer

from penstock.contracts.effect import EffectStatus
from penstock.contracts.run import RunStatus
from penstock.contracts.spend import SpendBy
from penstock.ui.cli.answering import answering
from penstock.ui.cli.options import AsJson, Limit, OfTag, RunArgument, Spent, settings
from penstock.ui.cli.output import Output
from penstock.ui.cli.which import Which

show_app = typer.Typer()


@show_app.command()
@answering
def runs(
    *,
    status: Annotated[
        list[RunStatus] | None, typer.Option(help="Only in this state; may be repeated.")
    ] = None,
    graph: Annotated[str | None, typer.Option(help="Only of this graph.")] = None,
    thread: Annotated[str | None, typer.Option(help="Only on this thread.")] = None,
    tag: OfTag = None,
    spent: Spent = None,
    redrivable: Annotated[
        bool, typer.Option("--redrivable", help="Only failed ones that a redrive may help.")
    ] = False,
    before: Annotated[
        str | None, typer.Option(metavar="RUN", help="Only older ones: the last of a page.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    which = Which(
        statuses=status or (),
        graph=graph,
        thread=thread,
        tags=tag or (),
        spent=spent or (),
        redrivable=redrivable,
    )
    from penstock.ui.cli import listing

    listing.runs(settings(), Output(as_json=as_json), which, before=before, limit=limit)


@show_app.command()
@answering
def show(*, run_id: RunArgument, as_json: AsJson = False) -> None:
    """Show a run: its state, gates, history and result."""
    from penstock.ui.cli import showing

    showing.show(settings(), Output(as_json=as_json), typed=run_id)


@show_app.command()
@answering
def effects(
    *,
    key: Annotated[
        str | None,
        typer.Argument(metavar="[EFFECT]", help="One of them, to show it whole; its beginning."),
    ] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only of this run.")] = None,
    status: Annotated[
        list[EffectStatus] | None, typer.Option(help="Only in this state; may be repeated.")
    ] = None,
    tool: Annotated[str | None, typer.Option(help="Only of this tool.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List the tool calls of runs, and what is known of each."""
    from penstock.ui.cli import effecting

    output = Output(as_json=as_json)
    if key is not None:
        effecting.effect(settings(), output, typed=key)
        return
    effecting.effects(settings(), output, run=run, statuses=status or (), tool=tool, limit=limit)


@show_app.command()
@answering
def tools(
    *,
    graph: Annotated[
        str | None, typer.Argument(help="The graph's name in `langgraph.json`; else all.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[TOOL]", help="One of its tools, to show it whole.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the tools of the project's graphs, with their contracts."""
    from penstock.ui.cli import tooling

    tooling.tools(settings(), Output(as_json=as_json), graph=graph, name=name)


@show_app.command()
@answering
def budget(*, run_id: RunArgument, as_json: AsJson = False) -> None:
    """Show what a run may use, has used and holds, and what its calls came to."""
    from penstock.ui.cli import budgeting

    budgeting.budget(settings(), Output(as_json=as_json), typed=run_id)


@show_app.command()
@answering
def spend(
    *,
    by: Annotated[SpendBy, typer.Option(help="What is added up by.")] = SpendBy.DAY,
    days: Annotated[int, typer.Option(min=1, max=3660, help="So many days, today the last.")] = 30,
    graph: Annotated[str | None, typer.Option(help="Only of this graph.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what runs have used, by day or by graph; days are of UTC."""
    from penstock.ui.cli import spending

    spending.spend(
        settings(), Output(as_json=as_json), by=by, day_count=days, graph=graph, tenant=tenant
    )
