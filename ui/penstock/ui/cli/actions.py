"""`penstock cancel`, `redrive`, `pause`, `resume` and `forget`: what people do with runs.

The first two act on one run, or on all that fit a filter, as far as it is possible for them.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from penstock.contracts.bulk import BulkAction, BulkOutcome, BulkPlan, BulkResult, Exclusion
from penstock.contracts.errors import NotAllowed, TooManyRuns
from penstock.contracts.run import Erased, Run, RunStatus
from penstock.ui.cli.options import AsJson, OfTag, Reason, RunArgument, RunSelection, Spent
from penstock.ui.cli.output import Output, table
from penstock.ui.cli.rendering import status_text
from penstock.ui.project import Project, open_project, read_settings
from penstock.ui.text import EXCLUSIONS, instant
from penstock.ui.views import runs as views

UNCONFIRMED_LIMIT = 100
"""More runs than this are acted on only by who says that it is meant."""

_SHOWN_ROWS = 50
_THREAD_ROWS = 1000

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
    selection = RunSelection(statuses=status or (), graph=graph, tags=tag or (), spent=spent or ())
    _require_one_or_many(run_id, selection, before, dry_run=dry_run, yes=yes)
    output = Output(as_json=as_json)
    if run_id is None:
        _act_on_many(
            BulkAction.CANCEL,
            selection,
            output,
            before=before,
            reason=reason,
            dry_run=dry_run,
            yes=yes,
        )
        return
    with open_project(read_settings()) as project:

        async def change() -> Run:
            person = project.person()
            run = await project.run(run_id)
            return await project.control.cancel(run.id, by=person, reason=reason)

        run = asyncio.run(change())
    outcome = (
        f"run {run.id} is {run.status}"
        if run.status is RunStatus.CANCELLED
        else f"run {run.id} is to be cancelled: its worker sees it within a second"
    )
    output.answer(views.RunDocument(run=views.run_view(run)), outcome)


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
    selection = RunSelection(statuses=status or (), graph=graph, tags=tag or (), spent=spent or ())
    _require_one_or_many(run_id, selection, before, dry_run=dry_run, yes=yes)
    output = Output(as_json=as_json)
    if run_id is None:
        _act_on_many(
            BulkAction.REDRIVE,
            selection,
            output,
            before=before,
            reason=None,
            dry_run=dry_run,
            yes=yes,
        )
        return
    with open_project(read_settings()) as project:

        async def change() -> Run:
            return await project.control.redrive(
                (await project.run(run_id)).id, by=project.person()
            )

        run = asyncio.run(change())
    output.answer(
        views.RunDocument(run=views.run_view(run)),
        f"run {run.id} is {run.status} again and goes on from its last checkpoint",
        f"next: penstock show {run.id}",
    )


def pause(*, run_id: RunArgument, reason: Reason = None, as_json: AsJson = False) -> None:
    """Keep a run from going on until it is resumed."""
    with open_project(read_settings()) as project:

        async def change() -> Run:
            person = project.person()
            run = await project.run(run_id)
            return await project.control.pause(run.id, by=person, reason=reason)

        run = asyncio.run(change())
    outcome = (
        f"run {run.id} is to pause: it goes back to the queue when its calls have been settled"
        if run.status is RunStatus.RUNNING
        else f"run {run.id} is {run.status}, and paused"
    )
    Output(as_json=as_json).answer(
        views.RunDocument(run=views.run_view(run)), outcome, f"next: penstock resume {run.id}"
    )


def resume(*, run_id: RunArgument, as_json: AsJson = False) -> None:
    """Let a run that was paused go on."""
    with open_project(read_settings()) as project:

        async def change() -> Run:
            return await project.control.resume((await project.run(run_id)).id, by=project.person())

        run = asyncio.run(change())
    Output(as_json=as_json).answer(
        views.RunDocument(run=views.run_view(run)),
        f"run {run.id} is {run.status}, and not paused",
        f"next: penstock show {run.id}",
    )


def forget(
    *,
    run_id: RunArgument,
    thread: Annotated[
        bool, typer.Option("--thread", help="All runs of its thread, and with them its state.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Erase what a run was told, has said and done, and say what each store did."""
    with open_project(read_settings()) as project:
        forgotten = asyncio.run(_forget(project, run_id, thread=thread))
    text: list[Any] = []
    for run, report in forgotten:
        rows = [(each.store, str(each.count), each.kept or "") for each in report]
        text += [f"run {run.id} is forgotten", table("store", "erased", "kept", rows=rows), ""]
    document = views.ForgottenRuns(runs=[views.forgotten_run(*each) for each in forgotten])
    Output(as_json=as_json).answer(document, *text[:-1])


async def _forget(
    project: Project, typed: str, *, thread: bool
) -> Sequence[tuple[Run, Sequence[Erased]]]:
    named = await project.run(typed)
    found: Sequence[Run] = [named]
    if thread:
        found = await project.queries.list(
            thread_id=named.thread_id, tenant=named.tenant, limit=_THREAD_ROWS
        )
    person = project.person()
    return [(run, await project.control.forget(run.id, by=person)) for run in found]


def _require_one_or_many(
    run_id: str | None,
    selection: RunSelection,
    before: str | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    is_filtered = not selection.is_any or before is not None
    if run_id is None and not is_filtered:
        raise typer.BadParameter(
            "name a RUN, or say which: --status, --graph, --tag, --spent, --before"
        )
    if run_id is not None and (is_filtered or dry_run or yes):
        raise typer.BadParameter("a RUN goes with no filter, and with neither --dry-run nor --yes")


def _act_on_many(
    action: BulkAction,
    selection: RunSelection,
    output: Output,
    *,
    before: str | None,
    reason: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Cancel or redrive all runs that fit, as far as it is possible for them."""
    from penstock.runs.bulk import BATCH_SIZE

    settings = read_settings()
    with open_project(settings) as project:
        person, wanted = project.person(), selection.of(settings.tenant)

        async def carry_out() -> None:
            below = None if before is None else (await project.run(before)).id
            plan = await project.bulk.plan(action, wanted, by=person, before=below)
            targets = plan.targets
            if dry_run:
                output.answer(views.bulk_preview(plan), *_preview(plan))
                return
            if not targets and any(why is Exclusion.NOT_YOURS for _, why in plan.left_out):
                raise NotAllowed(f"`{person}` may {action} none of the runs that fit")
            if len(targets) > UNCONFIRMED_LIMIT and not yes:
                raise TooManyRuns(
                    f"{len(targets)} runs fit, and without `--yes` it is {UNCONFIRMED_LIMIT} at"
                    " most; nothing was changed. Look at them with `--dry-run`, and say `--yes` if"
                    " they are meant"
                )
            results: list[BulkResult] = []
            for first in range(0, len(targets), BATCH_SIZE):
                portion = targets[first : first + BATCH_SIZE]
                results += await project.bulk.carry_out(action, portion, by=person, reason=reason)
                output.note(f"{len(results)} of {len(targets)}")
            changed = [each.run for each in results if each.run is not None]
            unchanged = [each for each in results if each.outcome is not BulkOutcome.APPLIED]
            report = views.bulk_report(plan, changed, unchanged)
            output.answer(report, *_report(plan, changed, unchanged))

        asyncio.run(carry_out())


def _preview(plan: BulkPlan) -> Sequence[Any]:
    found, action = plan.targets, plan.action
    if not found:
        return [f"no run fits: there is nothing to {action}", *_left_out(plan)]
    shown = table(
        *("run", "status", "graph", "since"),
        rows=[
            (seen.id, status_text(seen.status), seen.graph, instant(seen.changed_at))
            for seen in found[:_SHOWN_ROWS]
        ],
        whole=("since",),
    )
    more = [f"and {len(found) - _SHOWN_ROWS} more"] if len(found) > _SHOWN_ROWS else []
    would = f"would {action} {_runs(len(found))}; nothing was changed"
    return [shown, *more, *_left_out(plan), would]


def _report(
    plan: BulkPlan, changed: Sequence[Run], unchanged: Sequence[BulkResult]
) -> Sequence[str]:
    asked = sum(run.status is RunStatus.RUNNING for run in changed)
    outcome = {
        BulkAction.CANCEL: f"{_runs(len(changed) - asked)} cancelled",
        BulkAction.REDRIVE: f"{_runs(len(changed))} queued again",
    }[plan.action]
    driven = [f"{_runs(asked)} to be cancelled: their workers see it within a second"]
    return [
        outcome,
        *(driven if asked else []),
        *_left_out(plan),
        *(f"left as it is: {each.why}" for each in unchanged),
    ]


def _left_out(plan: BulkPlan) -> Sequence[str]:
    from penstock.runs.bulk import MAX_RUN_COUNT

    counts = Counter(why for _, why in plan.left_out)
    lines = [
        f"left out: {_runs(counts[why])} {EXCLUSIONS[why]}" for why in Exclusion if counts[why]
    ]
    if plan.has_more:
        lines.append(
            f"more than {MAX_RUN_COUNT} fit; these are the newest, so do it again after this"
        )
    return lines


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
