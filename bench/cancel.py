"""How soon a run is cancelled that a worker drives, in the middle of a tool call."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.allowing import OPEN
from bench.cancelling import ENTERED, PACE, catalog
from bench.spread import percentile
from penstock.checkpoints import Checkpointer, Store, migrate
from penstock.contracts.run import Run, RunStatus
from penstock.runs import LocalEngine, Runtime, Worker

DEADLINE_S = 60
POLL_S = 0.002

HERE, ELSEWHERE = "here", "elsewhere"
"""Whether the worker is in the process that cancels, or in another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured."""

    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One cancellation."""

    where: str
    took_s: float
    """From the call of `cancel` until the run is stored as cancelled, its tool call settled."""


def plan(*, quick: bool) -> Plan:
    """Return what is measured."""
    return Plan(rounds=5 if quick else 50)


def measure(plan: Plan, folder: Path, *, done: Callable[[str], None]) -> "Cancel":
    """Cancel runs, in databases below `folder`."""
    samples: list[Sample] = []
    for where, cancel in ((HERE, _here), (ELSEWHERE, _elsewhere)):
        with TemporaryDirectory(dir=folder) as own:
            url = f"sqlite:///{Path(own) / 'bench.db'}"
            migrate(url)
            for took_s in asyncio.run(cancel(url, plan.rounds)):
                samples.append(Sample(where=where, took_s=took_s))
                done(where)
    return Cancel(samples)


class Cancel:
    """What was measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of all cancellations."""
        self.samples = samples

    def ms(self, where: str, percent: int) -> float:
        """Return a percentile of the time from the call to the state, in milliseconds."""
        return percentile([one.took_s * 1e3 for one in self.samples if one.where == where], percent)


async def _here(url: str, rounds: int) -> list[float]:
    with Store.open(url) as store:
        saver, engine, graphs = Checkpointer(store), LocalEngine(), catalog()
        runtime = Runtime(store, saver, graphs, engine=engine)
        worker = Worker(store, saver, graphs, engine=engine, pace=PACE, policy=OPEN)
        working = asyncio.create_task(worker.work())
        try:
            return await _cancel(runtime, rounds)
        finally:
            worker.drain()
            await working


async def _elsewhere(url: str, rounds: int) -> list[float]:
    worker = subprocess.Popen(  # noqa: ASYNC220  (it takes no time)
        [sys.executable, "-m", "bench.cancelling", url], stderr=subprocess.DEVNULL
    )
    try:
        with Store.open(url) as store:
            return await _cancel(Runtime(store, Checkpointer(store), catalog()), rounds)
    finally:
        worker.kill()
        worker.wait()


async def _cancel(runtime: Runtime, rounds: int) -> list[float]:
    chance = random.Random(1)  # noqa: S311  (a seed, so that a round can be repeated)
    took: list[float] = []
    for _ in range(rounds):
        run = await runtime.start("wait", {}, actor="bench")
        async with asyncio.timeout(DEADLINE_S):
            while not await _is_entered(runtime, run):  # noqa: ASYNC110  (the store tells)
                await asyncio.sleep(POLL_S)
        # At any moment between two looks of the worker.
        await asyncio.sleep(chance.uniform(0, PACE.beat_s))
        began = time.perf_counter()
        await runtime.cancel(run.id, by="bench")
        async with asyncio.timeout(DEADLINE_S):
            while (await runtime.get(run.id)).status is not RunStatus.CANCELLED:  # noqa: ASYNC110  (likewise)
                await asyncio.sleep(POLL_S)
        took.append(time.perf_counter() - began)
    return took


async def _is_entered(runtime: Runtime, run: Run) -> bool:
    return [effect.tool for effect in await runtime.effects(run_id=run.id)] == [ENTERED]
