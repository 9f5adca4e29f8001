"""Kill workers under load, at moments of chance.

A program: `kill_storm.py URL FOLDER KILLS SEED`. Each worker drives many threads at once; each is
killed a moment after it has stored its first checkpoint. It prints what was acknowledged.
"""

import asyncio
import os
import random
import select
import signal
import sys
from pathlib import Path

from support import forks
from support.graphs import on_thread
from support.rounds import Log, check, go_on, opened

THREADS = 24
WANTED = 60
LONGEST_S = 0.35


def live(url: str, log: Log, started: int) -> None:
    """Drive all threads at once, to their ends if there is time."""
    with opened(url, log) as (graph, _):

        async def drive() -> None:
            os.write(started, b".")
            await asyncio.gather(
                *(go_on(graph, on_thread(f"t{n}"), wanted=WANTED) for n in range(THREADS))
            )

        asyncio.run(drive())


def examine(url: str, log: Log) -> None:
    """Run every thread to its end and check it."""
    with opened(url, log) as (graph, _):

        async def all_of_them() -> None:
            for number in range(THREADS):
                await check(graph, log, f"t{number}", wanted=WANTED)

        asyncio.run(all_of_them())


def main(url: str, folder: Path, kills: int, seed: int) -> None:
    """Kill so many workers, then look."""
    log = Log(folder / "log")
    chance = random.Random(seed)
    killed = 0
    while killed < kills:
        reading, writing = os.pipe()
        child = forks.fork(lambda writing=writing: live(url, log, writing))
        os.close(writing)
        os.read(reading, 1)
        # Until the moment of the kill, or until the worker ends before it.
        select.select([reading], [], [], chance.uniform(0.01, LONGEST_S))
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        code = forks.ended(child)
        if code == 0:
            raise RuntimeError(f"after {killed} kills there was nothing left to do: give more work")
        if code != -signal.SIGKILL:
            raise RuntimeError(f"a worker ended with {code}, not by its kill")
        killed += 1
    forks.run(lambda: examine(url, log))
    print(f"kills: {killed}, acknowledged: {len(log.read('stored'))}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
