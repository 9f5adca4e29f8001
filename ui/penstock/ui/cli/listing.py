"""`penstock runs`: what there is."""

import asyncio
from collections.abc import Collection, Sequence

from penstock.contracts.run import Run, RunStatus
from penstock.runs.settings import Settings
from penstock.ui.cli import texts, words
from penstock.ui.cli.desk import open_desk
from penstock.ui.cli.output import Output, table


def runs(
    settings: Settings,
    output: Output,
    *,
    statuses: Collection[RunStatus],
    graph: str | None,
    thread: str | None,
    before: str | None,
    limit: int,
) -> None:
    """List the tenant's runs, newest first."""
    with open_desk(settings) as desk:

        async def find() -> Sequence[Run]:
            return await desk.runtime.list(
                statuses=statuses,
                graph=graph,
                thread_id=thread,
                tenant=settings.tenant,
                before=None if before is None else (await desk.run(before)).id,
                limit=limit,
            )

        found = asyncio.run(find())
    output.answer(
        {"runs": [words.of_run(run) for run in found]},
        table(
            "run",
            "status",
            "graph",
            "thread",
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
