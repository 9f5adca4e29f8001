"""The loads of `throughput`: how many runs at a time, on which disk, how often."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.contestants import STOCK, Contestant

SLOW_S = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many lanes at a time, each with so many runs one after the other."""

    concurrency: int
    runs_each: int
    without: tuple[Contestant, ...] = ()
    """Who is left out, because it would take too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is measured under one condition of the disk."""

    name: str
    delay_s: float
    rounds: int
    raw_commit_count: int
    loads: tuple[Load, ...]


def blocks(*, quick: bool) -> Sequence[Block]:
    """Return what is measured."""
    if quick:
        fast = (
            Load(concurrency=1, runs_each=5),
            Load(concurrency=8, runs_each=1),
            Load(concurrency=64, runs_each=1),
        )
        slow = (
            Load(concurrency=1, runs_each=3),
            Load(concurrency=8, runs_each=1),
            Load(concurrency=64, runs_each=1, without=STOCK),
        )
        return (
            Block(name="fast", delay_s=0, rounds=2, raw_commit_count=200, loads=fast),
            Block(name="slow", delay_s=SLOW_S, rounds=2, raw_commit_count=50, loads=slow),
        )
    fast = (
        Load(concurrency=1, runs_each=20),
        Load(concurrency=8, runs_each=4),
        Load(concurrency=64, runs_each=2),
    )
    slow = (
        Load(concurrency=1, runs_each=10),
        Load(concurrency=8, runs_each=2),
        Load(concurrency=64, runs_each=1),
    )
    return (
        Block(name="fast", delay_s=0, rounds=5, raw_commit_count=500, loads=fast),
        Block(name="slow", delay_s=SLOW_S, rounds=5, raw_commit_count=100, loads=slow),
    )
