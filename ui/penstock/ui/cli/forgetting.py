"""`penstock forget`: a run erased, with what each store did."""

import asyncio
from collections.abc import Sequence
from typing import Any

from penstock.contracts.run import Erased, Run
from penstock.runs.settings import Settings
from penstock.ui.cli.output import Output, table
from penstock.ui.project import Project, open_project

_PAGE_ROWS = 1000


def forget(settings: Settings, output: Output, *, typed: str, thread: bool) -> None:
    """Forget a run, or all runs of its thread, and say what each store did."""
    with open_project(settings) as desk:
        reports = asyncio.run(_forget(desk, typed, thread=thread))
    data: dict[str, Any] = {
        "runs": [
            {
                "id": run.id,
                "stores": [
                    {"store": each.store, "erased": each.count, "kept": each.kept}
                    for each in report
                ],
            }
            for run, report in reports
        ]
    }
    said: list[Any] = []
    for run, report in reports:
        rows = [(each.store, str(each.count), each.kept or "") for each in report]
        said += [f"run {run.id} is forgotten", table("store", "erased", "kept", rows=rows), ""]
    output.answer(data, *said[:-1])


async def _forget(desk: Project, typed: str, *, thread: bool) -> list[tuple[Run, Sequence[Erased]]]:
    named = await desk.run(typed)
    found = [named]
    if thread:
        of_thread = await desk.runtime.list(
            thread_id=named.thread_id, tenant=named.tenant, limit=_PAGE_ROWS
        )
        found = list(of_thread)
    who = desk.person()
    return [(run, await desk.runtime.forget(run.id, by=who)) for run in found]
