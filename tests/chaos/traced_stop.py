"""Stop a worker inside a tool, and go on when it is woken; what it exported is kept in a file.

A program: `traced_stop.py URL FOLDER`. It queues a run, drives it, and stops itself with SIGSTOP
in the middle of a call. When it is woken, the call ends, and it works until a SIGTERM. It writes
the runs that it lost, and of each span the name, the id and the parent, and its events.
"""

import asyncio
import sys
from pathlib import Path

from penstock.checkpoints import Checkpointer, Store
from penstock.graphs import Catalog
from penstock.runs import Pace, Runtime, Worker
from penstock.traces.pipeline import Pipeline
from support import moments
from support.allowing import OPEN
from support.rounds import Log
from support.traced import ToFile, calling
from support.workers import DEADLINE_S, LostRuns, work_until_drained

LEASE_S = 0.6


def main(url: str, folder: Path) -> None:
    """Drive a run until its second call, and what is left of it afterwards."""
    log = Log(folder / "log")
    LostRuns(log).listen()
    pipeline = Pipeline(ToFile(log))
    with Store.open(url) as store:
        saver = Checkpointer(store)
        catalog = Catalog.of(calling(lambda: moments.stop_here(store)))

        async def work() -> None:
            run = await Runtime(store, saver, catalog).start("calling", {}, actor="ann")
            log.write("run", run.id)
            # It has no beat by which it could learn of its loss before it is refused.
            pace = Pace(slots=1, beat_s=4 * DEADLINE_S, lease_s=LEASE_S, poll_s=0.02)
            worker = Worker(store, saver, catalog, pace=pace, policy=OPEN, tracing=pipeline)
            await work_until_drained(worker)

        asyncio.run(work())
    pipeline.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
