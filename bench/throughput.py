"""How many steps a second: chains of nodes, at several numbers of runs at a time.

Two blocks. *fast* takes the disk as it is found, and measures mostly processor time; *slow* makes
every commit 3 ms longer (see `disk`), as on a disk that answers for what it stores. Within a round
everybody works the same load one after the other, beginning with another one in each round, so
that what the machine does meanwhile falls on all; ratios are taken within rounds.
"""

import asyncio
import gc
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.contestants import (
    ASYNC_SQLITE,
    MEMORY,
    NOTHING,
    PENSTOCK,
    THREADED_SQLITE,
    Contestant,
    Opened,
)
from bench.disk import NotComparable, Tally
from bench.graphs import BEATS, CHAIN_LENGTH, Graph, chain, drive
from bench.load import Block, Load
from bench.spread import Spread, difference, percentile, ratio, spread

RAW_COMMITS = "raw commits"
"""One connection that commits one small row at a time: what the disk gives to a single writer."""

CONTESTANTS = (NOTHING, MEMORY, ASYNC_SQLITE, THREADED_SQLITE, PENSTOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One contestant under one load, once."""

    block: str
    round: int
    concurrency: int
    contestant: str
    step_count: int
    """Nodes that ran; for raw commits, rows that were committed."""
    wall_s: float
    cpu_s: float
    """Processor time of all threads."""
    commit_count: int
    step_p50_s: float
    """From one node of a run to its next."""
    step_p99_s: float

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.step_count / self.wall_s

    @property
    def commits_per_step(self) -> float:
        """Durable commits for each step."""
        return self.commit_count / self.step_count

    @property
    def cpu_us(self) -> float:
        """Processor time for each step, in microseconds."""
        return self.cpu_s / self.step_count * 1e6


def measure(
    plan: Sequence[Block],
    folder: Path,
    *,
    postgres: Contestant | None,
    done: Callable[[str], None],
) -> "Throughput":
    """Measure `plan` on databases below `folder`; `done` is told what was measured.

    Raises:
        NotComparable: a contestant did not work under the conditions of the others.
    """
    samples: list[Sample] = []
    for block in plan:
        for number in range(block.rounds):
            for load in block.loads:
                for contestant in _order(block, load, number, postgres):
                    samples.append(_sample(contestant, block, load, number, folder))
                    done(f"{block.name}, c={load.concurrency}, {samples[-1].contestant}")
    return Throughput(samples)


def sample_count(plan: Sequence[Block], *, postgres: Contestant | None) -> int:
    """Return how many samples `measure` takes."""
    return sum(
        block.rounds * len(_order(block, load, 0, postgres))
        for block in plan
        for load in block.loads
    )


class Throughput:
    """What was measured, and the ratios in it."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of all blocks."""
        self.samples = samples

    def contestants(self, block: str) -> Sequence[str]:
        """Return who was measured in a block, in the order of the tables."""
        names = {sample.contestant for sample in self.samples if sample.block == block}
        first = [RAW_COMMITS, *(contestant.name for contestant in CONTESTANTS)]
        return [name for name in [*first, *sorted(names - {*first})] if name in names]

    def concurrencies(self, block: str) -> Sequence[int]:
        """Return the numbers of runs at a time that were measured in a block."""
        return sorted({sample.concurrency for sample in self.samples if sample.block == block})

    def values(
        self, block: str, concurrency: int, contestant: str, value: Callable[[Sample], float]
    ) -> Sequence[float]:
        """Return one number of each round; nothing for whom was not measured."""
        return [
            value(sample)
            for sample in self.samples
            if (sample.block, sample.concurrency, sample.contestant)
            == (block, concurrency, contestant)
        ]

    def spread(
        self, block: str, concurrency: int, contestant: str, value: Callable[[Sample], float]
    ) -> Spread | None:
        """Return the spread of a number over the rounds."""
        values = self.values(block, concurrency, contestant, value)
        return spread(values) if values else None

    def times(self, block: str, concurrency: int, *others: str) -> Spread | None:
        """Return how many times the steps of the fastest of `others` Penstock makes."""
        ours = self.values(block, concurrency, PENSTOCK.name, _rate)
        theirs = [self.values(block, concurrency, other, _rate) for other in others]
        if not ours or not all(theirs):
            return None
        return ratio(ours, [max(values) for values in zip(*theirs, strict=True)])

    def cpu_us_beyond_graph(self, block: str, concurrency: int, contestant: str) -> Spread | None:
        """Return the processor time of a step less that of the graph without a checkpointer."""
        whole = self.values(block, concurrency, contestant, lambda sample: sample.cpu_us)
        graph = self.values(block, concurrency, NOTHING.name, lambda sample: sample.cpu_us)
        return difference(whole, graph) if whole and graph else None


def _rate(sample: Sample) -> float:
    return sample.rate


def _order(
    block: Block, load: Load, number: int, postgres: Contestant | None
) -> Sequence[Contestant | None]:
    """Return who works in a round, and in which order; none stands for raw commits."""
    everybody: list[Contestant | None] = [None]
    everybody += [contestant for contestant in CONTESTANTS if contestant not in load.without]
    if postgres is not None and not block.delay_s:
        everybody.append(postgres)
    first = number % len(everybody)
    return everybody[first:] + everybody[:first]


def _sample(
    contestant: Contestant | None, block: Block, load: Load, number: int, folder: Path
) -> Sample:
    with TemporaryDirectory(dir=folder) as own:
        path = Path(own) / "bench.db"
        gc.collect()
        if contestant is None:
            return _raw_commits(block, load, number, path)
        return asyncio.run(_drive(contestant, block, load, number, path))


def _raw_commits(block: Block, load: Load, number: int, path: Path) -> Sample:
    tally = Tally(block.delay_s)
    connection = sqlite3.connect(path, factory=tally.connection_class())
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE filled (number INTEGER PRIMARY KEY, data BLOB)")
        count = block.raw_commit_count
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        for _ in range(count):
            connection.execute("INSERT INTO filled (data) VALUES (?)", (b"x" * 100,))
            connection.commit()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    finally:
        connection.close()
    tally.require_comparable(name=RAW_COMMITS, wall_s=wall_s, commit_count=count)
    return Sample(
        block=block.name,
        round=number,
        concurrency=load.concurrency,
        contestant=RAW_COMMITS,
        step_count=count,
        wall_s=wall_s,
        cpu_s=cpu_s,
        commit_count=tally.commit_count,
        step_p50_s=wall_s / count,
        step_p99_s=wall_s / count,
    )


async def _drive(
    contestant: Contestant, block: Block, load: Load, number: int, path: Path
) -> Sample:
    tally = Tally(block.delay_s)
    async with contestant.open(path, tally) as opened:
        graph = chain(opened.saver)
        # What is imported and compiled on first use is not what a step costs.
        await _run(graph, opened, "warm", [])
        threads: list[str] = []
        before = opened.commit_count()
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as lanes:
            latencies = [
                lanes.create_task(_lane(graph, opened, f"{lane}", load.runs_each, threads))
                for lane in range(load.concurrency)
            ]
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        commit_count = opened.commit_count() - before
        if contestant.on_sqlite:
            tally.require_comparable(name=contestant.name, wall_s=wall_s, commit_count=commit_count)
        elif opened.saver is not None:
            for thread in ["warm", *threads]:
                # A database that is not thrown away is left as it was found.
                await opened.saver.adelete_thread(thread)
    steps = [step for lane in latencies for step in lane.result()]
    return Sample(
        block=block.name,
        round=number,
        concurrency=load.concurrency,
        contestant=contestant.name,
        step_count=load.concurrency * load.runs_each * CHAIN_LENGTH,
        wall_s=wall_s,
        cpu_s=cpu_s,
        commit_count=commit_count,
        step_p50_s=percentile(steps, 50),
        step_p99_s=percentile(steps, 99),
    )


async def _lane(
    graph: Graph, opened: Opened, lane: str, runs_each: int, threads: list[str]
) -> Sequence[float]:
    latencies: list[float] = []
    for run in range(runs_each):
        threads.append(f"{lane}-{run}")
        await _run(graph, opened, threads[-1], latencies)
    return latencies


async def _run(graph: Graph, opened: Opened, thread: str, latencies: list[float]) -> None:
    beats: list[float] = []
    BEATS.set(beats)
    given: dict[str, Any] = {"count": 0, "path": []}
    is_stored = opened.saver is not None
    result = await drive(graph, given, thread_id=thread, is_stored=is_stored)
    if result["count"] != CHAIN_LENGTH:
        msg = f"a chain ended at {result['count']}; wanted {CHAIN_LENGTH}"
        raise NotComparable(msg)
    latencies += [after - before for before, after in pairwise(beats)]
