"""Kill a worker before each statement it sends to the store, one after the other.

A program: `kill_points.py FOLDER`. For every point a child runs the graph and dies there; another
goes on and checks. It prints how many points there were.
"""

import asyncio
import itertools
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import event

from support import forks
from support.databases import migrated_sqlite
from support.graphs import on_thread
from support.rounds import Log, check, go_on, opened, repeated

WANTED = 2


class DieAt:
    """Kills this process before the writer sends its `point`-th statement."""

    def __init__(self, point: int) -> None:
        self._left = point

    def watch(self, connection: Any, *_: object) -> None:
        """Have SQLite call before each statement that the writer sends."""
        if threading.current_thread().name == "penstock-writer":
            connection.set_trace_callback(self._before)

    def _before(self, _: str) -> None:
        self._left -= 1
        if self._left == 0:
            forks.kill_here()


def live(url: str, log: Log, point: int) -> None:
    """Run the graph until the point comes, or to the end."""
    with opened(url, log) as (graph, store):
        event.listen(store._database.engine, "checkout", DieAt(point).watch)
        asyncio.run(go_on(graph, on_thread("t"), wanted=WANTED))


def examine(url: str, log: Log) -> None:
    """Go on where the dead one stopped."""
    with opened(url, log) as (graph, _):
        asyncio.run(check(graph, log, "t", wanted=WANTED))
    # At most the two branches of the one superstep that was cut off.
    assert repeated(log, "t") <= 2, "finished nodes were run again"


def main(folder: Path) -> None:
    """Go through the points until a run comes to its end."""
    for point in itertools.count(1):
        place = folder / str(point)
        place.mkdir()
        url, log = migrated_sqlite(place), Log(place / "log")
        code = forks.ended(forks.fork(lambda url=url, log=log, point=point: live(url, log, point)))
        try:
            forks.run(lambda url=url, log=log: examine(url, log))
        except RuntimeError:
            print(f"at point {point}, where the worker ended with {code}")
            raise
        if code == 0:
            print(f"points: {point - 1}")
            return
        if code != -9:
            raise RuntimeError(f"the worker of point {point} ended with {code}, not by its kill")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
