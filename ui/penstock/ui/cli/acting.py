"""`penstock cancel`, `redrive`, `pause` and `resume`: a person acts on a run."""

import asyncio

from penstock.contracts.run import Run, RunStatus
from penstock.runs.settings import Settings
from penstock.ui.cli import rendering
from penstock.ui.cli.output import Output
from penstock.ui.project import Project, open_project


def cancel(settings: Settings, output: Output, *, typed: str, reason: str | None) -> None:
    """Cancel a run: at once, or as soon as its worker sees it."""

    async def change(desk: Project) -> Run:
        person = desk.person()
        return await desk.runtime.cancel((await desk.run(typed)).id, by=person, reason=reason)

    with open_project(settings) as desk:
        run = asyncio.run(change(desk))
    now = (
        f"run {run.id} is {run.status}"
        if run.status is RunStatus.CANCELLED
        else f"run {run.id} is to be cancelled: its worker sees it within a second"
    )
    output.answer({"run": rendering.of_run(run)}, now)


def redrive(settings: Settings, output: Output, *, typed: str) -> None:
    """Queue a failed run again, to go on from its last checkpoint."""

    async def change(desk: Project) -> Run:
        return await desk.runtime.redrive((await desk.run(typed)).id, by=desk.person())

    with open_project(settings) as desk:
        run = asyncio.run(change(desk))
    output.answer(
        {"run": rendering.of_run(run)},
        f"run {run.id} is {run.status} again and goes on from its last checkpoint",
        f"next: penstock show {run.id}",
    )


def pause(settings: Settings, output: Output, *, typed: str, reason: str | None) -> None:
    """Keep a run from going on until it is resumed."""

    async def change(desk: Project) -> Run:
        person = desk.person()
        return await desk.runtime.pause((await desk.run(typed)).id, by=person, reason=reason)

    with open_project(settings) as desk:
        run = asyncio.run(change(desk))
    now = (
        f"run {run.id} is to pause: it goes back to the queue when its calls have been settled"
        if run.status is RunStatus.RUNNING
        else f"run {run.id} is {run.status}, and paused"
    )
    output.answer({"run": rendering.of_run(run)}, now, f"next: penstock resume {run.id}")


def resume(settings: Settings, output: Output, *, typed: str) -> None:
    """Let a run that was paused go on."""

    async def change(desk: Project) -> Run:
        return await desk.runtime.resume((await desk.run(typed)).id, by=desk.person())

    with open_project(settings) as desk:
        run = asyncio.run(change(desk))
    output.answer(
        {"run": rendering.of_run(run)},
        f"run {run.id} is {run.status}, and not paused",
        f"next: penstock show {run.id}",
    )
