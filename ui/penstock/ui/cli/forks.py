"""`penstock fork`: a run that goes on from a checkpoint of another."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from penstock.contracts.errors import InvalidInput, UnknownCheckpoint
from penstock.contracts.fork import Fate, Forecast
from penstock.contracts.run import Run, RunMode
from penstock.ui.cli.options import AsJson, RunArgument, read_json
from penstock.ui.cli.output import Output, table
from penstock.ui.cli.rendering import KEY_CHARS
from penstock.ui.project import Project, load_graphs, open_project, read_settings
from penstock.ui.text import instant
from penstock.ui.views import forks as views

if TYPE_CHECKING:
    from penstock.contracts.checkpoint import CheckpointInfo

POINT_ROWS = 200
"""So many checkpoints are listed, the newest."""

FATES = {
    Fate.KEPT: "kept: it lies before, and is not made",
    Fate.REPLAYED: "replayed: its recorded result is given",
    Fate.ASKED: "asked: with the same arguments, people are asked first",
    Fate.AGAIN: "anew: it is made as any call",
    Fate.SIMULATED: "simulated: it is refused, nothing leaves the process",
}
"""What becomes of a call in a fork, in words."""


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
    settings, output = read_settings(), Output(as_json=as_json)
    if at is None:
        with open_project(settings) as project:
            _list_points(project, output, run_id)
        return
    mode, edits = RunMode.LIVE if live else RunMode.SIMULATE, _read_edits(edit)
    with open_project(settings, load_graphs(settings)) as project:

        async def act() -> tuple[Forecast, Run | None]:
            person = project.person()
            run = await project.run(run_id)
            point = _point(project, run, at)
            forecast = await project.runtime.forecast_fork(
                run.id, point.id, mode=mode, is_edited=bool(edits)
            )
            if dry_run:
                return forecast, None
            return forecast, await project.runtime.fork(
                run.id, point.id, by=person, mode=mode, edits=edits
            )

        forecast, made = asyncio.run(act())
    text: list[Any] = [f"first: {', '.join(forecast.nodes)}", *_call_tables(forecast)]
    if made is None:
        text.append("nothing was started")
    else:
        text += [f"run {made.id} is {made.status}", f"next: penstock show {made.id}"]
    output.answer(views.fork_document(forecast, made), *text)


def _list_points(project: Project, output: Output, typed: str) -> None:
    run = asyncio.run(project.run(typed))
    known = _points(project, run)
    nodes = {step.task_id: step.node for step in asyncio.run(project.queries.steps(run.id))}
    found = [
        views.ForkPointView(
            id=point.id,
            number=point.number,
            after=_after(point, known, nodes),
            at=instant(point.at),
        )
        for point in known
    ]
    rows = [(each.id, str(each.number), each.after, each.at) for each in found]
    output.answer(
        views.ForkPointList(run=run.id, checkpoints=found),
        table("checkpoint", "number", "after", "at", rows=rows)
        if rows
        else f"run {run.id} has no checkpoint",
        f"next: penstock fork {run.id} --at CHECKPOINT",
    )


def _read_edits(edit: str | None) -> Mapping[str, Any]:
    edits: Any = {} if edit is None else read_json(edit, what="edits", refusal=InvalidInput)
    if not isinstance(edits, dict):
        raise InvalidInput("the edits are not an object of JSON; write them as '{\"field\": …}'")
    return cast("Mapping[str, Any]", edits)


def _points(project: Project, run: Run) -> "Sequence[CheckpointInfo]":
    from penstock.checkpoints import states

    found = project.store.read_blocking(
        lambda connection: states.points(connection, run.id, limit=POINT_ROWS)
    )
    return [point for point in found if not point.namespace]


def _point(project: Project, run: Run, typed: str) -> "CheckpointInfo":
    """Return the checkpoint with this id, or the only one whose id begins so, or of this number."""
    known = _points(project, run)
    matching = [point for point in known if point.id == typed or str(point.number) == typed]
    matching = matching or [point for point in known if typed and point.id.startswith(typed)]
    if len(matching) == 1:
        return matching[0]
    found = "more than one checkpoint" if matching else "no checkpoint"
    raise UnknownCheckpoint(
        f"run `{run.id}` has {found} that `{typed}` names; `penstock fork {run.id}` lists them"
    )


def _after(
    point: "CheckpointInfo", known: "Sequence[CheckpointInfo]", nodes: Mapping[str, str]
) -> str:
    before = next((each.tasks for each in known if each.id == point.parent_id), ())
    named = dict.fromkeys(nodes[task] for task in before if task in nodes)
    return ", ".join(named) or point.source


def _call_tables(forecast: Forecast) -> Sequence[Any]:
    if not forecast.calls:
        return []
    rows = [
        (each.effect.key[:KEY_CHARS], each.effect.tool, FATES[each.fate]) for each in forecast.calls
    ]
    return [table("call", "tool", "in the fork", rows=rows)]
