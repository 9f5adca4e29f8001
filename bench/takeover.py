"""How soon another worker claims the run of one that was killed while it drove."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.spread import Spread, spread
from bench.taking import PACE, catalog
from penstock.checkpoints import Checkpointer, Store, migrate
from penstock.contracts.run import Run
from penstock.runs import Runtime

DEADLINE_S = 60
POLL_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured."""

    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One kill."""

    claimed_s: float
    """From the SIGKILL until the other worker's claim is stored."""


def plan(*, quick: bool) -> Plan:
    """Return what is measured."""
    return Plan(rounds=2 if quick else 5)


def measure(plan: Plan, folder: Path, *, done: Callable[[str], None]) -> "Takeover":
    """Kill workers, each beside another, in databases below `folder`."""
    chance = random.Random(1)  # noqa: S311  (a seed, so that a round can be repeated)
    samples: list[Sample] = []
    for number in range(plan.rounds):
        with TemporaryDirectory(dir=folder) as own:
            url = f"sqlite:///{Path(own) / 'bench.db'}"
            migrate(url)
            samples.append(asyncio.run(_kill(url, chance.uniform(0, PACE.beat_s))))
        done(f"kill {number + 1}")
    return Takeover(samples)


class Takeover:
    """What was measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of all kills."""
        self.samples = samples

    def claimed_s(self) -> Spread:
        """Return the time from a kill to the claim."""
        return spread([one.claimed_s for one in self.samples])


async def _kill(url: str, later_s: float) -> Sample:
    workers: list[subprocess.Popen[bytes]] = []
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog())
        run = await runtime.start("stay", {}, actor="bench")
        try:
            workers.append(_worker(url))
            driven = await _claimed(runtime, run, epoch=1)
            workers.append(_worker(url))
            # The lease is as old as the last beat: some beats on, at any moment between two.
            await asyncio.sleep(2 * PACE.beat_s + later_s)
            began = time.perf_counter()
            workers[0].kill()
            taken = await _claimed(runtime, run, epoch=2)
            took = time.perf_counter() - began
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    if taken.worker_id == driven.worker_id:
        raise RuntimeError("the run was claimed by the worker that was to be dead")
    return Sample(claimed_s=took)


def _worker(url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "bench.taking", url], stderr=subprocess.DEVNULL)


async def _claimed(runtime: Runtime, run: Run, *, epoch: int) -> Run:
    async with asyncio.timeout(DEADLINE_S):
        while (found := await runtime.get(run.id)).epoch < epoch:  # noqa: ASYNC110  (the store tells)
            await asyncio.sleep(POLL_S)
        return found
