"""Kill workers while many runs go through gates, until every run has come to its end.

A program: `worker_storm.py URL FOLDER RUNS KILLS SEED`. Three workers and somebody who decides the
gates are processes; one of the four is killed at moments of chance and started again. It prints how
many runs came to their end, and how many were taken over.
"""

import asyncio
import os
import random
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from penstock.checkpoints import Checkpointer, Store
from penstock.contracts.errors import GateClosed
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, RunStatus
from penstock.graphs import Catalog, declare
from penstock.runs import Pace, Runtime, Worker
from support import forks
from support.allowing import OPEN
from support.rounds import Log, check_run, rounds
from support.stories import check_chain, check_story

WANTED = 2
PACE = Pace(slots=12, beat_s=0.1, lease_s=0.6, poll_s=0.02, lost_limit=1000)
GOING_S = 0.4
WORKERS = 3
DEADLINE_S = 240.0


def catalog(log: Log) -> Catalog:
    """Return the one graph, which writes down what it runs."""
    return Catalog.of(declare(rounds(None, log, asking=True), name="rounds"))


def begin(url: str, log: Log, count: int) -> None:
    """Queue the runs and write their ids down."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog(log))

        async def start() -> None:
            for number in range(count):
                given = {"round": 0, "wanted": WANTED}
                run = await runtime.start("rounds", given, actor="test", key=f"run-{number}")
                log.write("queued", run.id)

        asyncio.run(start())


def drive(url: str, log: Log) -> None:
    """Be a worker until killed."""
    store = Store.open(url)
    saver = Checkpointer(store)
    asyncio.run(Worker(store, saver, catalog(log), pace=PACE, policy=OPEN).work())


def decide(url: str, log: Log) -> None:
    """Decide whatever is asked, until killed."""
    store = Store.open(url)
    runtime = Runtime(store, Checkpointer(store), catalog(log))

    async def answer() -> None:
        while True:
            for gate in await runtime.open_gates():
                try:
                    await runtime.decide(gate.id, "go", by="test")
                    await runtime.decide(gate.id, "go", by="test")
                except GateClosed:
                    log.write("closed", gate.id)
            await asyncio.sleep(0.02)

    asyncio.run(answer())


def wait_for_all(url: str, log: Log) -> None:
    """Come back when every run has ended."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog(log))

        async def wait() -> None:
            async with asyncio.timeout(DEADLINE_S):
                for (run_id,) in log.read("queued"):
                    while (await runtime.get(RunId(run_id))).status not in ENDED:  # noqa: ASYNC110  (another process ends it)
                        await asyncio.sleep(0.1)

        asyncio.run(wait())


def examine(url: str, log: Log) -> None:
    """Check every run."""
    with Store.open(url) as store:
        saver = Checkpointer(store)
        runtime = Runtime(store, saver, catalog(log))

        async def look() -> None:
            for (run_id,) in log.read("queued"):
                run = await runtime.get(RunId(run_id))
                assert run.status is RunStatus.SUCCEEDED, run
                check_story(store, run.id, RunStatus.SUCCEEDED, gate_count=WANTED)
                await check_run(rounds(saver, log, asking=True), run.thread_id, wanted=WANTED)
                # Undisturbed, a run is claimed at its start and after each of its gates.
                log.write("ended", run.id, run.epoch > WANTED + 1)
            check_chain(store, RunId(log.read("queued")[0][0]))

        asyncio.run(look())


def main(url: str, folder: Path, count: int, kills: int, seed: int) -> None:
    """Kill so many processes, then let the rest be done, then look."""
    log = Log(folder / "log")
    forks.run(lambda: begin(url, log, count))
    parts: list[Callable[[], None]] = [
        *(lambda: drive(url, log) for _ in range(WORKERS)),
        lambda: decide(url, log),
    ]
    chance = random.Random(seed)
    with forks.children() as fork:
        alive = [fork(part) for part in parts]
        for _ in range(kills):
            select.select([], [], [], chance.uniform(0.05, GOING_S))
            victim = chance.randrange(len(parts))
            os.kill(alive[victim], signal.SIGKILL)
            if (code := forks.ended(alive[victim])) != -signal.SIGKILL:
                raise RuntimeError(f"a process ended with {code}, not by its kill")
            alive[victim] = fork(parts[victim])
        forks.run(lambda: wait_for_all(url, log))
    forks.run(lambda: examine(url, log))
    ended = log.read("ended")
    taken_over = sum(was_taken_over == "True" for _, was_taken_over in ended)
    print(f"runs: {len(ended)}, kills: {kills}, taken over: {taken_over}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
