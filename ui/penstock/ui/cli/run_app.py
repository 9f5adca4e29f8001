"""The shape of the commands with which a person acts on runs."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.contracts.bulk import BulkAction
from penstock.contracts.run import RunMode, RunStatus
from penstock.ui.cli.answering import answering
from penstock.ui.cli.options import AsJson, OfTag, Reason, RunArgument, Spent, settings
from penstock.ui.cli.output import Output
from penstock.ui.cli.which import Which

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
    tag: OfTag = None,
    spent: Spent = None,
    before: Before = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a run, or all that fit a filter."""
    which = Which(statuses=status or (), graph=graph, tags=tag or (), spent=spent or ())
    _one_or_many(run_id, which, before, dry_run=dry_run, yes=yes)
    from penstock.ui.cli import acting, bulk

    output = Output(as_json=as_json)
    if run_id is not None:
        acting.cancel(settings(), output, typed=run_id, reason=reason)
        return
    bulk.act(
        settings(),
        output,
        BulkAction.CANCEL,
        which,
        before=before,
        reason=reason,
        is_dry=dry_run,
        is_sure=yes,
    )


@run_app.command()
@answering
def redrive(
    *,
    run_id: OneOrMany = None,
    status: OfStatus = None,
    graph: OfGraph = None,
    tag: OfTag = None,
    spent: Spent = None,
    before: Before = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Queue a failed run again, or all that fit a filter, to go on from their last checkpoints."""
    which = Which(statuses=status or (), graph=graph, tags=tag or (), spent=spent or ())
    _one_or_many(run_id, which, before, dry_run=dry_run, yes=yes)
    from penstock.ui.cli import acting, bulk

    output = Output(as_json=as_json)
    if run_id is not None:
        acting.redrive(settings(), output, typed=run_id)
        return
    bulk.act(
        settings(),
        output,
        BulkAction.REDRIVE,
        which,
        before=before,
        reason=None,
        is_dry=dry_run,
        is_sure=yes,
    )


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


@run_app.command()
@answering
def fork(
    *,
    run_id: RunArgument,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKPOINT", help="Its id, the id's beginning, or its number; without it, all."
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live/--simulate", help="Let its tools do what they do, or only read.")
    ] = False,
    edit: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="Fields of the state and their values; `@file`, or `-`."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would come to, and start nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a run that goes on from a checkpoint of another; without --at, list those it has."""
    if at is None and (live or edit is not None or dry_run):
        raise typer.BadParameter("--live, --edit and --dry-run need --at")
    from penstock.ui.cli import forking

    output = Output(as_json=as_json)
    if at is None:
        forking.points(settings(), output, typed=run_id)
        return
    mode = RunMode.LIVE if live else RunMode.SIMULATE
    forking.fork(settings(), output, typed=run_id, at=at, mode=mode, edits=edit, is_dry=dry_run)


@run_app.command()
@answering
def export(
    *,
    run_id: RunArgument,
    file: Annotated[
        Path | None, typer.Option("--out", help="A new file; without it, standard output.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write all that is known of a run as one JSON document, for a report of a fault."""
    from penstock.ui.cli import reporting

    reporting.export(settings(), Output(as_json=as_json), typed=run_id, file=file)


def _one_or_many(
    run_id: str | None,
    which: Which,
    before: str | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    is_filtered = not which.is_any or before is not None
    if run_id is None and not is_filtered:
        raise typer.BadParameter(
            "name a RUN, or say which: --status, --graph, --tag, --spent, --before"
        )
    if run_id is not None and (is_filtered or dry_run or yes):
        raise typer.BadParameter("a RUN goes with no filter, and with neither --dry-run nor --yes")
