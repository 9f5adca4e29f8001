"""`penstock fork`: a run that goes on from a checkpoint of another."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from penstock.checkpoints import states
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.errors import InvalidInput, UnknownCheckpoint
from penstock.contracts.fork import Fate, Forecast
from penstock.contracts.run import Run, RunMode
from penstock.runs.settings import Settings
from penstock.ui import text
from penstock.ui.cli import rendering
from penstock.ui.cli.given import read_json
from penstock.ui.cli.output import Output, table
from penstock.ui.project import Project, load_graphs, open_project

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


def points(settings: Settings, output: Output, *, typed: str) -> None:
    """List the checkpoints of a run at which it can be forked."""
    with open_project(settings) as desk:
        run = asyncio.run(desk.run(typed))
        known = _points(desk, run)
        nodes = {step.task_id: step.node for step in asyncio.run(desk.runtime.steps(run.id))}
    rows = [
        (point.id, str(point.number), _after(point, known, nodes), text.instant(point.at))
        for point in known
    ]
    output.answer(
        {
            "run": run.id,
            "checkpoints": [
                {"id": id_, "number": int(number), "after": after, "at": at}
                for id_, number, after, at in rows
            ],
        },
        table("checkpoint", "number", "after", "at", rows=rows)
        if rows
        else f"run {run.id} has no checkpoint",
        f"next: penstock fork {run.id} --at CHECKPOINT",
    )


def fork(
    settings: Settings,
    output: Output,
    *,
    typed: str,
    at: str,
    mode: RunMode,
    edits: str | None,
    is_dry: bool,
) -> None:
    """Fork a run, or say what that would come to."""
    given: Any = {} if edits is None else read_json(edits, what="edits", refusal=InvalidInput)
    if not isinstance(given, dict):
        raise InvalidInput("the edits are not an object of JSON; write them as '{\"field\": …}'")
    edited = cast("Mapping[str, Any]", given)
    with open_project(settings, load_graphs(settings)) as desk:

        async def act() -> tuple[Forecast, Run | None]:
            person = desk.person()
            run = await desk.run(typed)
            point = _named(desk, run, at)
            told = await desk.runtime.foresee(run.id, point.id, mode=mode, is_edited=bool(edited))
            if is_dry:
                return told, None
            return told, await desk.runtime.fork(
                run.id, point.id, by=person, mode=mode, edits=edited
            )

        told, made = asyncio.run(act())
    said: list[Any] = [f"first: {', '.join(told.nodes)}", *_calls(told)]
    if made is None:
        said.append("nothing was started")
    else:
        said += [f"run {made.id} is {made.status}", f"next: penstock show {made.id}"]
    output.answer(
        {
            "run": None if made is None else rendering.of_run(made),
            "first": list(told.nodes),
            "calls": [
                {"key": each.effect.key, "tool": each.effect.tool, "fate": str(each.fate)}
                for each in told.calls
            ],
        },
        *said,
    )


def _points(desk: Project, run: Run) -> Sequence[CheckpointInfo]:
    found = desk.store.read_blocking(
        lambda connection: states.points(connection, run.id, limit=POINT_ROWS)
    )
    return [point for point in found if not point.namespace]


def _named(desk: Project, run: Run, typed: str) -> CheckpointInfo:
    """Return the checkpoint with this id, or the only one whose id begins so, or of this number."""
    known = _points(desk, run)
    matching = [point for point in known if point.id == typed or str(point.number) == typed]
    matching = matching or [point for point in known if typed and point.id.startswith(typed)]
    if len(matching) == 1:
        return matching[0]
    found = "more than one checkpoint" if matching else "no checkpoint"
    raise UnknownCheckpoint(
        f"run `{run.id}` has {found} that `{typed}` names; `penstock fork {run.id}` lists them"
    )


def _after(point: CheckpointInfo, known: Sequence[CheckpointInfo], nodes: Mapping[str, str]) -> str:
    before = next((each.tasks for each in known if each.id == point.parent_id), ())
    named = dict.fromkeys(nodes[task] for task in before if task in nodes)
    return ", ".join(named) or point.source


def _calls(told: Forecast) -> Sequence[Any]:
    if not told.calls:
        return []
    rows = [
        (each.effect.key[: rendering.KEY_CHARS], each.effect.tool, FATES[each.fate])
        for each in told.calls
    ]
    return [table("call", "tool", "in the fork", rows=rows)]
