"""Kill a worker inside a tool, with what it had exported by then kept in a file.

A program: `traced_kill.py URL FOLDER`. It queues a run, drives it, and kills itself with SIGKILL
in the middle of a call. It writes the run's id, and the name, the id and the parent of each span.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.checkpoints import Checkpointer, Store
from penstock.graphs import Catalog
from penstock.runs import Pace, Runtime, Worker
from penstock.traces.pipeline import Pipeline
from support.allowing import OPEN
from support.rounds import Log
from support.traced import calling

LEASE_S = 0.6


class ToFile(SpanExporter):
    """Writes spans down."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them down; they are in the file when this returns."""
        for span in spans:
            context, parent = span.get_span_context(), span.parent
            assert context is not None
            above = "-" if parent is None else parent.span_id
            self._log.write("span", span.name, context.span_id, above)
        return SpanExportResult.SUCCESS


def main(url: str, folder: Path) -> None:
    """Drive a run until its second call."""
    log = Log(folder / "log")
    pipeline = Pipeline(ToFile(log))

    def die() -> None:
        pipeline.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    with Store.open(url) as store:
        saver, catalog = Checkpointer(store), Catalog.of(calling(die))

        async def work() -> None:
            run = await Runtime(store, saver, catalog).start("calling", {}, actor="ann")
            log.write("run", run.id)
            pace = Pace(beat_s=0.1, lease_s=LEASE_S, poll_s=0.02)
            await Worker(store, saver, catalog, pace=pace, policy=OPEN, tracing=pipeline).work()

        asyncio.run(work())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
