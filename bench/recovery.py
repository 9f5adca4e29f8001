"""How soon a killed conversation goes on in a fresh process, which has nothing in memory."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.revival import CONTESTANTS
from bench.spread import Spread, spread

DEADLINE_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured."""

    rounds: int
    message_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One revival."""

    round: int
    contestant: str
    message_count: int
    node_s: float
    """From opening the database until the node that was interrupted ran again."""
    durable_s: float
    """Until that step was durable."""


def plan(*, quick: bool) -> Plan:
    """Return what is measured."""
    return Plan(rounds=2 if quick else 7, message_count=200 if quick else 800)


def sample_count(plan: Plan) -> int:
    """Return how often `measure` tells that something is done."""
    return (plan.rounds + 1) * len(CONTESTANTS)


def measure(plan: Plan, folder: Path, *, done: Callable[[str], None]) -> "Recovery":
    """Let conversations die below `folder`, then revive copies of them, turn by turn."""
    samples: list[Sample] = []
    with TemporaryDirectory(dir=folder) as own:
        dead = {contestant.name: Path(own) / str(n) for n, contestant in enumerate(CONTESTANTS)}
        for name, place in dead.items():
            place.mkdir()
            ended = _process("die", name, place / "bench.db", plan.message_count)
            if ended.returncode != -signal.SIGKILL:
                raise RuntimeError(f"the conversation with {name} did not die:\n{ended.stderr}")
            done(f"{name} dies")
        for number in range(plan.rounds):
            for name, place in dead.items():
                copy = Path(own) / "copy"
                shutil.copytree(place, copy)
                ended = _process("revive", name, copy / "bench.db", plan.message_count)
                if ended.returncode != 0:
                    raise RuntimeError(f"{name} did not come to life again:\n{ended.stderr}")
                samples.append(
                    Sample(
                        round=number,
                        contestant=name,
                        message_count=plan.message_count,
                        **json.loads(ended.stdout),
                    ),
                )
                shutil.rmtree(copy)
                done(f"{name} revives")
    return Recovery(samples)


class Recovery:
    """What was measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of all rounds."""
        self.samples = samples

    def contestants(self) -> Sequence[str]:
        """Return who was measured."""
        return list(dict.fromkeys(sample.contestant for sample in self.samples))

    def spread(self, contestant: str, value: Callable[[Sample], float]) -> Spread:
        """Return the spread of a number over the rounds."""
        return spread([value(one) for one in self.samples if one.contestant == contestant])


def _process(what: str, name: str, path: Path, count: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.revival", what, name, str(path), str(count)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
