"""`penstock runs`: what there is."""

import asyncio

from penstock.checkpoints import runs as run_rows
from penstock.contracts.run import Run
from penstock.runs.settings import Settings
from penstock.ui.cli import texts, words
from penstock.ui.cli.desk import open_desk
from penstock.ui.cli.output import Output, table
from penstock.ui.cli.which import Which


def runs(
    settings: Settings, output: Output, which: Which, *, before: str | None, limit: int
) -> None:
    """List the tenant's runs, newest first."""
    wanted = which.of(settings.tenant)
    with open_desk(settings) as desk:

        async def find() -> list[Run]:
            below = None if before is None else (await desk.run(before)).id
            listed = await desk.store.read(
                lambda connection: run_rows.page(connection, wanted, before=below, limit=limit)
            )
            return [each.run for each in listed]

        found = asyncio.run(find())
    output.answer(
        {"runs": [words.of_run(run) for run in found]},
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
                    words.run_status_text(run),
                    run.graph,
                    # A run that has its thread for itself shares its id with it.
                    "" if run.thread_id == run.id else run.thread_id,
                    ", ".join(run.tags),
                    str(run.epoch),
                    texts.instant(run.created_at),
                    "" if run.failure is None else run.failure.code,
                )
                for run in found
            ],
            whole=("created",),
        )
        if found
        else "no runs",
    )
