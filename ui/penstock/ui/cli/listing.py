"""`penstock runs`: what there is."""

import asyncio

from penstock.checkpoints import runs as run_rows
from penstock.contracts.run import Run
from penstock.runs.settings import Settings
from penstock.ui import text
from penstock.ui.cli import rendering
from penstock.ui.cli.output import Output, table
from penstock.ui.cli.which import Which
from penstock.ui.project import open_project


def runs(
    settings: Settings, output: Output, which: Which, *, before: str | None, limit: int
) -> None:
    """List the tenant's runs, newest first."""
    wanted = which.of(settings.tenant)
    with open_project(settings) as desk:

        async def find() -> list[Run]:
            below = None if before is None else (await desk.run(before)).id
            listed = await desk.store.read(
                lambda connection: run_rows.page(connection, wanted, before=below, limit=limit)
            )
            return [each.run for each in listed]

        found = asyncio.run(find())
    output.answer(
        {"runs": [rendering.of_run(run) for run in found]},
        table(
            "run",
            "status",
            "graph",
            "thread",
            "tags",
            "epoch",
            "created",
            "failure",
            rows=[
                (
                    run.id,
                    rendering.run_status_text(run),
                    run.graph,
                    # A run that has its thread for itself shares its id with it.
                    "" if run.thread_id == run.id else run.thread_id,
                    ", ".join(run.tags),
                    str(run.epoch),
                    text.instant(run.created_at),
                    "" if run.failure is None else run.failure.code,
                )
                for run in found
            ],
            whole=("created",),
        )
        if found
        else "no runs",
    )
