"""`penstock runs` and `penstock gates`: what there is, and what waits for an answer."""

import asyncio
from collections.abc import Collection, Sequence

from penstock.contracts.clock import SystemClock
from penstock.contracts.run import Run, RunStatus
from penstock.runs.settings import Settings
from penstock.ui.cli import words
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
                    words.status_text(run.status),
                    run.graph,
                    run.thread_id,
                    str(run.epoch),
                    words.instant(run.created_at),
                    "" if run.failure is None else run.failure.code,
                )
                for run in found
            ],
        )
        if found
        else "no runs",
    )


def gates(settings: Settings, output: Output, *, limit: int) -> None:
    """List the tenant's open gates, the longest waiting first."""
    with open_desk(settings) as desk:
        found = asyncio.run(desk.runtime.open_gates(tenant=settings.tenant, limit=limit))
    now = SystemClock().now()
    said: list[object] = (
        [
            table(
                "gate",
                "run",
                "kind",
                "age",
                "question",
                "answer schema",
                rows=[
                    (
                        gate.id,
                        gate.run_id,
                        gate.kind,
                        words.age((now - gate.opened_at).total_seconds()),
                        gate.question,
                        gate.answer_schema or "",
                    )
                    for gate in found
                ],
            ),
            f"next: {words.decide_command(found[0])}",
        ]
        if found
        else ["no gate is open"]
    )
    output.answer({"gates": [words.of_gate(gate) for gate in found]}, *said)
