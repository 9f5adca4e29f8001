"""Worker processes as the chaos tests make them, around the graph of `rounds`."""

import asyncio
import logging
import re
import signal
from collections.abc import Awaitable, Callable, Collection

from penstock.checkpoints import Checkpointer, Store
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.graphs import Catalog, declare
from penstock.runs import Pace, Runtime, Worker
from support.allowing import OPEN
from support.rounds import Log, check_run, rounds
from support.stories import check_story

GRAPH = "rounds"
DEADLINE_S = 90.0
"""A worker that was not told to drain by then fails, so that none outlives its test."""


def one_graph(log: Log, hold: Callable[[str, int], Awaitable[None]] | None = None) -> Catalog:
    """Return the graph without gates, which writes down what it runs."""
    return Catalog.of(declare(rounds(None, log, hold=hold), name=GRAPH))


def begin(url: str, log: Log, kind: str, *, count: int, wanted: int) -> None:
    """Queue runs and write their ids down under a word for them."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), one_graph(log))

        async def start() -> None:
            for _ in range(count):
                given = {"round": 0, "wanted": wanted}
                log.write(kind, (await runtime.start(GRAPH, given, actor="test")).id)

        asyncio.run(start())


def run_ids(log: Log, kind: str) -> list[RunId]:
    """Return the ids of the runs that were written down under a word."""
    return [RunId(run_id) for (run_id,) in log.read(kind)]


async def work_until_drained(worker: Worker) -> None:
    """Work until a SIGTERM, and give what is driven back."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.drain)
    async with asyncio.timeout(DEADLINE_S):
        await worker.work()


async def until_ended(runtime: Runtime, wanted: Collection[RunId]) -> None:
    """Come back when these runs have ended."""

    async def look() -> list[Run]:
        return [await runtime.get(run_id) for run_id in wanted]

    async with asyncio.timeout(DEADLINE_S):
        while any(run.status not in ENDED for run in await look()):  # noqa: ASYNC110  (the store tells)
            await asyncio.sleep(0.02)


def drive_to_end(url: str, log: Log, kind: str, *, pace: Pace) -> None:
    """Be a worker until these runs have ended."""
    with Store.open(url) as store:
        saver = Checkpointer(store)
        graphs = one_graph(log)
        worker = Worker(store, saver, graphs, pace=pace, policy=OPEN)
        log.write("worker", kind, worker.id)

        async def work() -> None:
            working = asyncio.create_task(worker.work())
            await until_ended(Runtime(store, saver, graphs), run_ids(log, kind))
            worker.drain()
            await working

        asyncio.run(work())


def check_ended(store: Store, log: Log, kind: str, *, wanted: int) -> None:
    """Make sure that these runs have succeeded, each with one history and one story."""
    graph = rounds(Checkpointer(store), log)
    for run_id in run_ids(log, kind):
        check_story(store, run_id, RunStatus.SUCCEEDED, gate_count=0)
        asyncio.run(check_run(graph, run_id, wanted=wanted))


class LostRuns(logging.Handler):
    """Writes down the runs of which a worker says that another drives them."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def listen(self) -> None:
        """Hear what Penstock says from now on."""
        logging.getLogger("penstock").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a run's id down, if that is what is said."""
        said = re.fullmatch(r"run (\S+) is driven by another worker now", record.getMessage())
        if said:
            self._log.write("lost", said[1])
