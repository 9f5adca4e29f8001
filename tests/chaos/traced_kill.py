"""Kill a worker inside a tool, with what it had exported by then kept in a file.

A program: `traced_kill.py URL FOLDER`. It queues a run, drives it, and kills itself with SIGKILL
in the middle of a call. It writes the run's id, and the name, the id and the parent of each span.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from penstock.checkpoints import Checkpointer, Store
from penstock.graphs import Catalog
from penstock.runs import Pace, Runtime, Worker
from penstock.traces.pipeline import Pipeline
from support.allowing import OPEN
from support.rounds import Log
from support.traced import ToFile, calling

LEASE_S = 0.6


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
