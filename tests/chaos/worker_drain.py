"""Tell a worker with several runs in long nodes to stop, and let another take them over at once.

A program: `worker_drain.py URL FOLDER`. No lease runs out in its time: what the second worker gets,
the first has given back. It prints how long after the SIGTERM the last run was claimed.
"""

import asyncio
import os
import select
import signal
import sys
import time
from pathlib import Path

from penstock.checkpoints import Checkpointer, Store
from penstock.contracts.clock import SystemClock
from penstock.contracts.run import RunStatus
from penstock.runs import Pace, Runtime, Worker
from support import forks
from support.allowing import OPEN
from support.rounds import Log, executions
from support.stories import story
from support.workers import (
    DEADLINE_S,
    begin,
    check_ended,
    one_graph,
    run_ids,
    work_until_drained,
)

RUNS = 6
WANTED = 2
PACE = Pace(slots=RUNS, beat_s=0.1, lease_s=4 * DEADLINE_S, poll_s=0.02)


def worker(url: str, log: Log, name: str, go_on: Path) -> None:
    """Drive runs until told to stop; a node of the second round waits for a file."""

    def is_held() -> bool:
        return not go_on.exists()

    async def hold(node: str, number: int) -> None:
        if (node, number) == ("left", 1):
            log.write("held", name)
            while is_held():  # noqa: ASYNC110  (another process makes the file)
                await asyncio.sleep(0.02)

    with Store.open(url) as store:
        working = Worker(store, Checkpointer(store), one_graph(log, hold), pace=PACE, policy=OPEN)
        log.write("worker", name, working.id)
        asyncio.run(work_until_drained(working))


def until_told(log: Log, kind: str, name: str, *, times: int) -> None:
    """Come back when a worker has written so many lines of a kind."""
    until = time.monotonic() + DEADLINE_S
    while sum(words[0] == name for words in log.read(kind)) < times:
        if time.monotonic() > until:
            raise RuntimeError(f"of worker `{name}` there is only {log.read(kind)}")
        select.select([], [], [], 0.005)


def note_runs(url: str, log: Log) -> None:
    """Write down how the runs stand."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), one_graph(log))

        async def look() -> None:
            for run_id in run_ids(log, "queued"):
                run = await runtime.get(run_id)
                log.write("stands", run.status, run.epoch, run.lost_count)

        asyncio.run(look())


def until_ended_by(url: str, log: Log) -> None:
    """Come back when the runs have succeeded."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), one_graph(log))

        async def wait() -> None:
            async with asyncio.timeout(DEADLINE_S):
                for run_id in run_ids(log, "queued"):
                    assert (await runtime.wait(run_id)).status is RunStatus.SUCCEEDED

        asyncio.run(wait())


def examine(url: str, log: Log, told_at: float) -> None:
    """Check the runs: given back by the first, driven on from there by the other."""
    workers = dict(log.read("worker"))
    wanted = [
        ("run.claimed", workers["first"]),
        ("run.queued", workers["first"]),
        ("run.claimed", workers["second"]),
        ("run.succeeded", workers["second"]),
    ]
    claimed_at: list[float] = []
    with Store.open(url) as store:
        check_ended(store, log, "queued", wanted=WANTED)
        for run_id in run_ids(log, "queued"):
            _, *events = story(store, run_id)
            assert [(event.action, event.actor) for event in events] == wanted, events
            claimed_at.append(events[2].at.timestamp())
            again = {node for node, times in executions(log, run_id).items() if times > 1}
            # The branch beside the one that was held had ended: its writes were kept.
            assert again == {("left", 1)}, again
    log.write("after", f"{1e3 * (max(claimed_at) - told_at):.0f}")


def main(url: str, folder: Path) -> None:
    """Drain a worker beside another."""
    log, go_on = Log(folder / "log"), folder / "go_on"
    forks.run(lambda: begin(url, log, "queued", count=RUNS, wanted=WANTED))
    with forks.children() as fork:
        first = fork(lambda: worker(url, log, "first", go_on))
        until_told(log, "held", "first", times=RUNS)
        second = fork(lambda: worker(url, log, "second", go_on))
        until_told(log, "worker", "second", times=1)
        told_at = SystemClock().now().timestamp()
        os.kill(first, signal.SIGTERM)
        if (code := forks.ended(first)) != 0:
            raise RuntimeError(f"the worker that drained ended with {code}")
        until_told(log, "held", "second", times=RUNS)
        forks.run(lambda: note_runs(url, log))
        if log.read("stands") != [["running", "2", "0"]] * RUNS:
            raise RuntimeError(f"the runs were not given back: {log.read('stands')}")
        go_on.touch()
        forks.run(lambda: until_ended_by(url, log))
        os.kill(second, signal.SIGTERM)
        if (code := forks.ended(second)) != 0:
            raise RuntimeError(f"the second worker ended with {code}")
    forks.run(lambda: examine(url, log, told_at))
    ((milliseconds,),) = log.read("after")
    print(f"claimed after {milliseconds} ms")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
