"""Stop a worker, let another take its run over, and wake the first.

A program: `zombie.py URL FOLDER NODE`. The first worker is stopped inside that node. It prints what
became of it.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import func, select

from penstock.checkpoints import Store, fenced
from penstock.checkpoints.schema import checkpoint_writes, checkpoints
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence, RunStatus
from penstock.contracts.signals import LeaseLost
from support import forks
from support.graphs import on_thread
from support.rounds import Log, TellingCheckpointer, check, go_on, opened, rounds
from support.runs import Runs

WANTED = 4


def stopped_worker(url: str, log: Log, node: str) -> None:
    """Drive a run until this process is stopped, and go on when it is woken."""

    def stop(name: str, number: int) -> None:
        if (name, number) == (node, 1):
            os.kill(os.getpid(), signal.SIGSTOP)

    store = Store.open(url)
    fence = Runs(store).start("t")
    log.write("claimed", fence.run_id, fence.epoch)
    graph = rounds(TellingCheckpointer(store, log), log, when_run=stop)
    try:
        asyncio.run(go_on(graph, fenced(on_thread("t"), fence), wanted=WANTED))
    except LeaseLost as lost:
        log.write("lost", str(lost))


def second_worker(url: str, log: Log, old: Fence) -> None:
    """Take the run over and bring it to its end."""
    with opened(url, log) as (graph, store):
        runs = Runs(store)
        fence = runs.take_over(old)
        asyncio.run(go_on(graph, fenced(on_thread("t"), fence), wanted=WANTED))
        runs.move(fence, RunStatus.SUCCEEDED)


def note_rows(url: str, log: Log) -> None:
    """Write down how many rows the checkpointer holds."""
    tables = (checkpoints, checkpoint_writes)
    with Store.open(url) as store:
        counts = [
            store.read_blocking(
                lambda connection, table=table: connection.execute(
                    select(func.count()).select_from(table)
                ).scalar_one()
            )
            for table in tables
        ]
    log.write("rows", *counts)


def examine(url: str, log: Log) -> None:
    """Check the thread."""
    with opened(url, log) as (graph, _):
        asyncio.run(check(graph, log, "t", wanted=WANTED))


def main(url: str, folder: Path, node: str) -> None:
    """Make a zombie and see what it does."""
    log = Log(folder / "log")
    first = forks.fork(lambda: stopped_worker(url, log, node))
    _, status = os.waitpid(first, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        raise RuntimeError("the first worker ended before it was stopped")
    ((run_id, epoch),) = log.read("claimed")
    old = Fence(run_id=RunId(run_id), epoch=int(epoch))
    forks.run(lambda: second_worker(url, log, old))
    forks.run(lambda: note_rows(url, log))
    os.kill(first, signal.SIGCONT)
    if (code := forks.ended(first)) != 0:
        raise RuntimeError(f"the first worker ended with {code}")
    forks.run(lambda: note_rows(url, log))
    forks.run(lambda: examine(url, log))
    before, after = log.read("rows")
    if before != after:
        raise RuntimeError(f"the woken worker has written: {before} rows became {after}")
    for lost in log.read("lost"):
        print("lost:", *lost)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
