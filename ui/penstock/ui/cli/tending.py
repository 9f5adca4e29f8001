"""`penstock workers` and `drain`: who drives runs, and that one is to drive no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.checkpoints import workers as known
from penstock.contracts.run import Run
from penstock.contracts.worker import KnownWorker, WorkerState
from penstock.runs.settings import Settings
from penstock.ui import text
from penstock.ui.cli import rendering
from penstock.ui.cli.output import Output, table
from penstock.ui.project import open_project

_RUN_ROWS = 1000

Held = Mapping[str, Sequence[Run]]


def workers(settings: Settings, output: Output) -> None:
    """List the workers, and the queued runs that none of them takes."""
    with open_project(settings) as desk:
        found = desk.tending.workers()
        driven, waiting = desk.store.read_blocking(
            lambda connection: (
                known.driven_runs(connection, limit=_RUN_ROWS),
                known.waiting_by_version(connection, tenant=settings.tenant),
            )
        )
    held: Held = {each.id: [run for run in driven if run.worker_id == each.id] for each in found}
    stranded = [
        each
        for each in waiting
        if not any(
            worker.is_taking and worker.serves(each.graph, each.fingerprint) for worker in found
        )
    ]
    output.answer(
        {
            "workers": [
                {**rendering.of_worker(each), "runs": [run.id for run in held[each.id]]}
                for each in found
            ],
            "nobody_takes": [
                {
                    "graph": each.graph,
                    "graph_version": each.graph_version,
                    "fingerprint": each.fingerprint,
                    "count": each.count,
                    "oldest_at": each.oldest_at,
                }
                for each in stranded
            ],
        },
        _listed(found, held) if found else "no worker was heard of in the last day",
        *(
            f"nobody takes {each.count} queued runs of {each.graph}, version {each.graph_version}:"
            " no living worker has this form of it"
            for each in stranded
        ),
    )


def drain(settings: Settings, output: Output, *, typed: str) -> None:
    """Have a worker drain."""
    with open_project(settings) as desk:
        left = desk.tending.drain(desk.worker_id(typed), by=desk.person(), tenant=settings.tenant)
    output.answer({"worker": rendering.of_worker(left)}, _said(left), "next: penstock workers")


def _said(worker: KnownWorker) -> str:
    match worker.state:
        case WorkerState.ENDED:
            return f"worker {worker.id} had ended already"
        case WorkerState.GONE | WorkerState.LATE:
            return (
                f"worker {worker.id} is not heard of since {text.age(worker.silent_s)}; it drains"
                " should it come back"
            )
        case _:
            return (
                f"worker {worker.id} takes nothing more, and ends when what it drives has ended or"
                " waits"
            )


def _listed(found: Sequence[KnownWorker], held: Held) -> Any:
    return table(
        *("worker", "state", "seen", "lease", "runs", "graphs", "started", "version"),
        rows=[
            (
                each.id,
                rendering.status_text(each.state),
                f"{text.age(each.silent_s)} ago",
                f"{each.lease_s:g}s",
                f"{len(held[each.id])}/{each.slot_count}",
                ", ".join(name for name, _ in each.graphs),
                text.instant(each.started_at),
                each.version,
            )
            for each in found
        ],
        whole=("state", "seen", "started"),
    )
