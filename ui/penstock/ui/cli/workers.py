"""`penstock worker`, `workers` and `drain`: who drives runs, and that one is to drive no more."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Run
from penstock.contracts.worker import KnownWorker, WorkerState
from penstock.ui.cli.options import AsJson
from penstock.ui.cli.output import Exit, Output, table
from penstock.ui.cli.rendering import status_text
from penstock.ui.project import Project, load_graphs, open_project, read_settings
from penstock.ui.signals import stopped_by_signals
from penstock.ui.text import age, instant
from penstock.ui.views import workers as views

if TYPE_CHECKING:
    from penstock.traces import Tracing

log = logging.getLogger(__name__)

_NODE_THREADS = 4
"""Threads for each slot: branches of a run whose nodes are not asynchronous."""

_RUN_ROWS = 1000

_RunsByWorker = Mapping[WorkerId, Sequence[Run]]


def worker(*, as_json: AsJson = False) -> Exit | None:
    """Drive runs until a signal ends it: the first gives them back, a second is at once."""
    from penstock.ui.telemetry import log_to_stderr, open_metrics, open_tracing

    settings, output = read_settings(), Output(as_json=as_json)
    catalog = load_graphs(settings)
    # What nodes print must not mix with the answer.
    with (
        log_to_stderr(as_json=output.as_json or settings.log_json),
        open_project(settings, catalog) as project,
        open_tracing(settings) as tracing,
        open_metrics(project),
        redirect_stdout(sys.stderr),
    ):
        worker_id = asyncio.run(_drive(project, tracing))
    output.answer(views.EndedWorker(worker_id=worker_id, ended="drained"))
    return Exit.OK


def workers(*, as_json: AsJson = False) -> None:
    """List the workers of the last day: whether each is heard of, and what it drives."""
    from penstock.checkpoints import workers as rows

    settings = read_settings()
    with open_project(settings) as project:
        found = project.fleet.workers()
        driven, queued = project.store.read_blocking(
            lambda connection: (
                rows.driven_runs(connection, limit=_RUN_ROWS),
                rows.waiting_by_version(connection, tenant=settings.tenant),
            )
        )
    held = {each.id: [run for run in driven if run.worker_id == each.id] for each in found}
    stranded = [
        each
        for each in queued
        if not any(
            worker.is_taking and worker.serves(each.graph, each.fingerprint) for worker in found
        )
    ]
    Output(as_json=as_json).answer(
        views.WorkerList(
            workers=[views.listed_worker(each, held[each.id]) for each in found],
            nobody_takes=[views.queued_runs_view(each) for each in stranded],
        ),
        _worker_table(found, held) if found else "no worker was heard of in the last day",
        *(
            f"nobody takes {each.count} queued runs of {each.graph}, version {each.graph_version}:"
            " no living worker has this form of it"
            for each in stranded
        ),
    )


def drain(
    *,
    worker_id: Annotated[
        str, typer.Argument(metavar="WORKER", help="Its id, or its beginning or its end.")
    ],
    as_json: AsJson = False,
) -> None:
    """Have a worker take nothing more, and end when what it drives has ended or waits."""
    settings = read_settings()
    with open_project(settings) as project:
        drained = project.fleet.drain(
            project.worker_id(worker_id), by=project.person(), tenant=settings.tenant
        )
    document = views.WorkerDocument(worker=views.worker_view(drained))
    Output(as_json=as_json).answer(document, _drained(drained), "next: penstock workers")


async def _drive(project: Project, tracing: "Tracing") -> str:
    worker = project.worker(tracing)
    loop = asyncio.get_running_loop()
    threads = project.settings.worker_slot_count * _NODE_THREADS
    loop.set_default_executor(ThreadPoolExecutor(threads))
    # What is loaded by now stays: a full collection would stop all runs for a tenth of a second.
    gc.collect()
    gc.freeze()

    def stop(number: int) -> None:
        name = signal.Signals(number).name
        log.info("%s: giving back what is driven; another signal ends at once", name)
        worker.drain()

    names = ", ".join(sorted(graph.name for graph in project.catalog))
    with stopped_by_signals(stop):
        log.info("worker %s drives %s from %s", worker.id, names, project.store.name)
        await worker.work()
    log.info("worker %s has stopped; nothing is driven by it any more", worker.id)
    return worker.id


def _drained(worker: KnownWorker) -> str:
    match worker.state:
        case WorkerState.ENDED:
            return f"worker {worker.id} had ended already"
        case WorkerState.GONE | WorkerState.LATE:
            return (
                f"worker {worker.id} is not heard of since {age(worker.silent_s)}; it drains"
                " should it come back"
            )
        case _:
            return (
                f"worker {worker.id} takes nothing more, and ends when what it drives has ended or"
                " waits"
            )


def _worker_table(found: Sequence[KnownWorker], held: _RunsByWorker) -> Any:
    return table(
        *("worker", "state", "seen", "lease", "runs", "graphs", "started", "version"),
        rows=[
            (
                each.id,
                status_text(each.state),
                f"{age(each.silent_s)} ago",
                f"{each.lease_s:g}s",
                f"{len(held[each.id])}/{each.slot_count}",
                ", ".join(name for name, _ in each.graphs),
                instant(each.started_at),
                each.version,
            )
            for each in found
        ],
        whole=("state", "seen", "started"),
    )
