"""Stop a worker that holds several runs, let another take them over, and wake the first.

A program: `worker_zombie.py URL FOLDER PLACE (driving|ended) (beat|refusal)`. The first worker is
stopped with all of its runs inside a node, right after their claim, or before their move to
succeeded. It is woken while the second drives the runs, or when it has ended them, and learns of it
by its next beat, its runs staying where they are, or by being refused what it writes. It prints the
runs that it lost.
"""

import asyncio
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, func
from sqlalchemy import select as query

from penstock.checkpoints import Checkpointer, Store, leases
from penstock.checkpoints.schema import audit_events, checkpoint_writes, checkpoints, runs
from penstock.runs import Pace, Runtime, Worker
from support import forks, moments
from support.allowing import OPEN
from support.moments import WatchedCheckpointer
from support.rounds import Log
from support.stories import story
from support.workers import (
    DEADLINE_S,
    LostRuns,
    begin,
    check_ended,
    drive_to_end,
    one_graph,
    run_ids,
    until_ended,
    work_until_drained,
)

RUNS = 4
WANTED = 2
LAST_STEP = 3 * WANTED
BEATS = {"beat": 0.1, "refusal": 4 * DEADLINE_S}
LEASE_S = 0.6
SECOND = Pace(slots=2 * RUNS, beat_s=0.1, lease_s=2 * DEADLINE_S, poll_s=0.02)
"""Its own leases hold while it is stopped itself."""


class Gathering:
    """Holds runs until all of them have come; the first time, does something to them then.

    If they stay, only who cancels them gets them out of here the first time.
    """

    def __init__(self, first: Callable[[], None], *, stays: bool) -> None:
        self._first = first
        self._stays = stays
        self._come = 0
        self._complete: list[asyncio.Event] = [asyncio.Event(), asyncio.Event()]

    async def come(self) -> None:
        """Wait for the others."""
        times, place = divmod(self._come, RUNS)
        self._come += 1
        if place == RUNS - 1:
            if times == 0:
                self._first()
            if times > 0 or not self._stays:
                self._complete[times].set()
        await self._complete[times].wait()


class Claims:
    """Does something once so many runs were claimed."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._left = RUNS

    def arm(self) -> None:
        """Watch the claims of this process."""
        moments.committed(leases, "claim", self._look, when=self._count)

    def _count(self, claimed: list[object]) -> bool:
        self._left -= len(claimed)
        return bool(claimed)

    def _look(self) -> None:
        if self._left == 0:
            self._act()


def zombie(url: str, log: Log, place: str, learns: str) -> None:
    """Drive runs, be stopped with all of them, and work on when woken."""
    LostRuns(log).listen()
    with Store.open(url) as store:

        def stop() -> None:
            moments.stop_here(store)

        if place == "claim":
            Claims(stop).arm()
            gathering = Gathering(lambda: None, stays=False)
        else:
            gathering = Gathering(stop, stays=learns == "beat")

        async def hold(name: str, number: int) -> None:
            if place != "end" and (name, number) == ("left", 1):
                await gathering.come()

        async def after_put(step: int) -> None:
            if place == "end" and step == LAST_STEP:
                await gathering.come()

        saver = WatchedCheckpointer(store, after_put=after_put)
        # It has no slot free for the runs that come later until it has noticed its loss.
        pace = Pace(slots=RUNS, beat_s=BEATS[learns], lease_s=LEASE_S, poll_s=0.02)
        worker = Worker(store, saver, one_graph(log, hold), pace=pace, policy=OPEN)
        log.write("zombie", worker.id)
        asyncio.run(work_until_drained(worker))


def second(url: str, log: Log, wake: str) -> None:
    """Take the runs over and bring them to their ends, stopped on the way if it is to drive."""
    if wake == "driving":
        Claims(lambda: os.kill(os.getpid(), signal.SIGSTOP)).arm()
    drive_to_end(url, log, "old", pace=SECOND)


def note_rows(url: str, log: Log) -> None:
    """Write down what is stored, but for the beats."""

    def rows(connection: Connection) -> tuple[object, ...]:
        tables = (checkpoints, checkpoint_writes, audit_events)
        counts = [connection.execute(query(func.count()).select_from(one)) for one in tables]
        columns = [column for column in runs.c if column.name != "lease_expires_at"]
        stand = connection.execute(query(*columns).order_by(runs.c.id)).all()
        return (*(one.scalar_one() for one in counts), repr(stand).replace(" ", ""))

    with Store.open(url) as store:
        log.write("rows", *store.read_blocking(rows))


def wait_until_noticed(log: Log) -> None:
    """Come back when the woken worker has said of each run that it lost it."""
    until = time.monotonic() + DEADLINE_S
    while set(run_ids(log, "lost")) != set(run_ids(log, "old")):
        if time.monotonic() > until:
            raise RuntimeError(f"the woken worker noticed the loss of {log.read('lost')} only")
        select.select([], [], [], 0.02)


def wait_for_new(url: str, log: Log) -> None:
    """Come back when the runs that came later have ended."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), one_graph(log))
        asyncio.run(until_ended(runtime, run_ids(log, "new")))


def examine(url: str, log: Log) -> None:
    """Check all runs, and who ended them."""
    ((first,),) = log.read("zombie")
    ((_, other),) = log.read("worker")
    with Store.open(url) as store:
        for kind, drivers in (("old", [first, other]), ("new", [first])):
            check_ended(store, log, kind, wanted=WANTED)
            for run_id in run_ids(log, kind):
                events = story(store, run_id)
                claimed = [event.actor for event in events if event.action == "run.claimed"]
                assert claimed == drivers, f"{run_id} was claimed by {claimed}"
                assert events[-1].actor == drivers[-1], events[-1]


def stopped(child: int) -> None:
    """Wait until a child has stopped."""
    _, status = os.waitpid(child, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        raise RuntimeError(f"a worker ended with {status} before it was stopped")


def main(url: str, folder: Path, place: str, wake: str, learns: str) -> None:
    """Make a zombie of a worker and see what it does."""
    log = Log(folder / "log")
    forks.run(lambda: begin(url, log, "old", count=RUNS, wanted=WANTED))
    with forks.children() as fork:
        first = fork(lambda: zombie(url, log, place, learns))
        stopped(first)
        other = fork(lambda: second(url, log, wake))
        if wake == "driving":
            stopped(other)
        elif (code := forks.ended(other)) != 0:
            raise RuntimeError(f"the second worker ended with {code}")
        forks.run(lambda: note_rows(url, log))
        os.kill(first, signal.SIGCONT)
        wait_until_noticed(log)
        forks.run(lambda: note_rows(url, log))
        before, after = log.read("rows")
        if before != after:
            raise RuntimeError(f"the woken worker has written: {before} became {after}")
        if wake == "driving":
            os.kill(other, signal.SIGCONT)
            if (code := forks.ended(other)) != 0:
                raise RuntimeError(f"the second worker ended with {code}")
        forks.run(lambda: begin(url, log, "new", count=RUNS, wanted=WANTED))
        forks.run(lambda: wait_for_new(url, log))
        os.kill(first, signal.SIGTERM)
        if (code := forks.ended(first)) != 0:
            raise RuntimeError(f"the woken worker ended with {code}")
    forks.run(lambda: examine(url, log))
    for run_id in run_ids(log, "lost"):
        print("lost:", run_id)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
