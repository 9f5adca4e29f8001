"""The shape of the commands with which a person acts on runs."""

from typing import Annotated

import typer

from penstock.contracts.run import RunStatus
from penstock.ui.cli.answering import answering
from penstock.ui.cli.options import AsJson, Reason, RunArgument, settings
from penstock.ui.cli.output import Output

run_app = typer.Typer()

OneOrMany = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="The run's id, or its beginning; without one, a filter."),
]
OfStatus = Annotated[
    list[RunStatus] | None, typer.Option(help="Many: only in this state; may be repeated.")
]
OfGraph = Annotated[str | None, typer.Option(help="Many: only of this graph.")]
Before = Annotated[str | None, typer.Option(metavar="RUN", help="Many: only older ones.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Many: list them, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Many: also more than a hundred.")]


@run_app.command()
@answering
def cancel(
    *,
    run_id: OneOrMany = None,
    reason: Reason = None,
    status: OfStatus = None,
    graph: OfGraph = None,
    before: Before = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a run, or all that fit a filter."""
    _one_or_many(run_id, status, graph, before, dry_run=dry_run, yes=yes)
    from penstock.ui.cli import acting, bulk

    output = Output(as_json=as_json)
    if run_id is not None:
        acting.cancel(settings(), output, typed=run_id, reason=reason)
        return
    wanted = bulk.Filter(statuses=status or (), graph=graph, before=before)
    bulk.cancel(settings(), output, wanted, reason=reason, is_dry=dry_run, is_sure=yes)


@run_app.command()
@answering
def redrive(
    *,
    run_id: OneOrMany = None,
    status: OfStatus = None,
    graph: OfGraph = None,
    before: Before = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Queue a failed run again, or all that fit a filter, to go on from their last checkpoints."""
    _one_or_many(run_id, status, graph, before, dry_run=dry_run, yes=yes)
    from penstock.ui.cli import acting, bulk

    output = Output(as_json=as_json)
    if run_id is not None:
        acting.redrive(settings(), output, typed=run_id)
        return
    wanted = bulk.Filter(statuses=status or (), graph=graph, before=before)
    bulk.redrive(settings(), output, wanted, is_dry=dry_run, is_sure=yes)


@run_app.command()
@answering
def pause(*, run_id: RunArgument, reason: Reason = None, as_json: AsJson = False) -> None:
    """Keep a run from going on until it is resumed."""
    from penstock.ui.cli import acting

    acting.pause(settings(), Output(as_json=as_json), typed=run_id, reason=reason)


@run_app.command()
@answering
def resume(*, run_id: RunArgument, as_json: AsJson = False) -> None:
    """Let a run that was paused go on."""
    from penstock.ui.cli import acting

    acting.resume(settings(), Output(as_json=as_json), typed=run_id)


def _one_or_many(
    run_id: str | None,
    status: list[RunStatus] | None,
    graph: str | None,
    before: str | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    is_filtered = bool(status) or graph is not None or before is not None
    if run_id is None and not is_filtered:
        raise typer.BadParameter("name a RUN, or say which: --status, --graph, --before")
    if run_id is not None and (is_filtered or dry_run or yes):
        raise typer.BadParameter("a RUN goes with no filter, and with neither --dry-run nor --yes")
