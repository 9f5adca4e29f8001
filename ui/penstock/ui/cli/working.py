"""`penstock worker`: a process that drives runs until it is told to stop."""

import asyncio
import gc
import json
import logging
import signal
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout

from penstock.nodes.tools.request import current_task_id
from penstock.runs.settings import Settings
from penstock.traces import Tracing
from penstock.traces.ids import log_labels
from penstock.traces.names import STEP_ID
from penstock.ui.cli.exits import Exit
from penstock.ui.cli.output import Output
from penstock.ui.project import Project, load_graphs, open_project
from penstock.ui.signals import stopped_by_signals
from penstock.ui.telemetry import open_metrics, open_tracing

log = logging.getLogger(__name__)

_NODE_THREADS = 4
"""Threads for each slot: branches of a run whose nodes are not asynchronous."""


def work(settings: Settings, output: Output) -> Exit:
    """Drive runs until a signal; what is driven then goes back to the queue."""
    catalog = load_graphs(settings)
    # What nodes print must not mix with the answer.
    with (
        logging_to_stderr(as_json=output.as_json or settings.log_json),
        open_project(settings, catalog) as desk,
        open_tracing(settings) as tracing,
        open_metrics(desk),
        redirect_stdout(sys.stderr),
    ):
        worker_id = asyncio.run(_work(desk, tracing))
    output.answer({"worker_id": worker_id, "ended": "drained"})
    return Exit.OK


async def _work(desk: Project, tracing: Tracing) -> str:
    worker = desk.worker(tracing)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(desk.settings.worker_slot_count * _NODE_THREADS))
    # What is loaded by now stays: a full collection would stop all runs for a tenth of a second.
    gc.collect()
    gc.freeze()

    def stop(number: int) -> None:
        name = signal.Signals(number).name
        log.info("%s: giving back what is driven; another signal ends at once", name)
        worker.drain()

    names = ", ".join(sorted(graph.name for graph in desk.catalog))
    with stopped_by_signals(stop):
        log.info("worker %s drives %s from %s", worker.id, names, desk.store.name)
        await worker.work()
    log.info("worker %s has stopped; nothing is driven by it any more", worker.id)
    return worker.id


@contextmanager
def logging_to_stderr(*, as_json: bool) -> Generator[None]:
    """Have what Penstock logs printed to standard error, a line an event."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(as_json=as_json))
    root = logging.getLogger("penstock")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _Lines(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        if not self._as_json:
            return super().format(record)
        told = {"at": self.formatTime(record), "level": record.levelname, **log_labels()}
        if (step_id := current_task_id()) is not None:
            told[STEP_ID] = step_id
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return json.dumps(told | {"message": text})
