"""The numbers to hold, beside the ones that were measured.

Commits and bytes hardly depend on what else the machine does: for them it is said whether the
target is held. Everything that is a time stands beside its target, to be judged by who knows how
quiet the machine was; below about 20 % a difference is noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.calls import CONCURRENCIES, UNSAFE, Calls
from bench.cancel import ELSEWHERE, Cancel
from bench.contestants import ASYNC_SQLITE, MEMORY, PENSTOCK, STOCK, THREADED_SQLITE
from bench.growth import LONG, Growth
from bench.runs import Runs
from bench.takeover import Takeover
from bench.throughput import RAW_COMMITS, Throughput

COMMITS_PER_STEP = {1: 1.15, 8: 0.3, 64: 0.05}
DRIVEN_TIMES_DIRECT = 0.8
DECISION_P50_MS = 25
COMMITS_PER_EFFECT = 2
CALL_CPU_MS, CALL_CPU_AIM_MS = 1.5, 0.6
TAKEOVER_S = 8
CANCEL_P99_MS = 1000
LONG_MAX_BYTES = 4_000_000
LONG_AIM_BYTES = 2_000_000
LONG_TIMES_BELOW_STOCK = 40

TIMES_STEPS: tuple[tuple[str, tuple[str, ...], dict[int, float]], ...] = (
    ("slow", (RAW_COMMITS,), {1: 0.7, 8: 3, 64: 6}),
    ("slow", tuple(saver.name for saver in STOCK), {1: 1.7, 8: 7, 64: 14}),
    ("fast", (THREADED_SQLITE.name,), {1: 1.1, 8: 2.2, 64: 2.5}),
    ("fast", (MEMORY.name,), {8: 0.5, 64: 0.5}),
)
"""Block, with whom the steps a second are compared (the faster one counts), and the least ratio
at each number of runs at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One target and what was measured of it."""

    what: str
    measured: str
    target: str
    is_held: bool | None
    """Whether it is held; not said of what noise may decide."""


def of_throughput(found: Throughput) -> Iterator[Verdict]:
    """Compare commits and speed."""
    for block in ("fast", "slow"):
        for concurrency, most in COMMITS_PER_STEP.items():
            commits = found.spread(
                block, concurrency, PENSTOCK.name, lambda sample: sample.commits_per_step
            )
            if commits is not None:
                yield Verdict(
                    what=f"commits a step, {block}, c={concurrency}",
                    measured=commits.text(".3f"),
                    target=f"≤ {most}",
                    is_held=commits.median <= most,
                )
    for block, others, least in TIMES_STEPS:
        for concurrency, wanted in least.items():
            times = found.times(block, concurrency, *others)
            if times is not None:
                yield Verdict(
                    what=f"steps/s ÷ {' or '.join(others)}, {block}, c={concurrency}",
                    measured=times.text(".2f"),
                    target=f"≥ {wanted}",
                    is_held=None,
                )


def of_growth(found: Growth) -> Iterator[Verdict]:
    """Compare bytes."""
    ours = found.bytes_of(PENSTOCK, LONG)
    if ours is None:
        return
    yield Verdict(
        what=f"database after {LONG} messages",
        measured=f"{ours / 1e6:.2f} MB",
        target=f"≤ {LONG_MAX_BYTES / 1e6:g} MB, aim {LONG_AIM_BYTES / 1e6:g}",
        is_held=ours <= LONG_MAX_BYTES,
    )
    stock = found.bytes_of(ASYNC_SQLITE, LONG)
    if stock is not None:
        yield Verdict(
            what=f"times smaller than {ASYNC_SQLITE.name}'s",
            measured=f"{stock / ours:.0f}",
            target=f"≥ {LONG_TIMES_BELOW_STOCK}",
            is_held=stock / ours >= LONG_TIMES_BELOW_STOCK,
        )


def of_runs(found: Runs) -> Iterator[Verdict]:
    """Compare runs with their graph alone."""
    yield Verdict(
        what="runs/s ÷ the graph directly, same checkpointer",
        measured=found.times(lambda one: one.direct_rate).text(".2f"),
        target=f"≥ {DRIVEN_TIMES_DIRECT}",
        is_held=None,
    )
    yield Verdict(
        what="runs/s ÷ the graph directly, InMemorySaver",
        measured=found.times(lambda one: one.memory_rate).text(".2f"),
        target="–",  # noqa: RUF001  (a dash: none was set)
        is_held=None,
    )
    yield Verdict(
        what="ms from decision to node, p50",
        measured=found.decision_ms(50).text(".1f"),
        target=f"≤ {DECISION_P50_MS}",
        is_held=None,
    )


def of_calls(found: Calls) -> Iterator[Verdict]:
    """Compare what a call costs beyond the bare tool."""
    commits = found.of(UNSAFE, 1, lambda one: one.commits)
    yield Verdict(
        what="commits an effect, c=1",
        measured=commits.text(".2f"),
        target=f"≤ {COMMITS_PER_EFFECT}",
        is_held=commits.median <= COMMITS_PER_EFFECT,
    )
    for concurrency in CONCURRENCIES:
        yield Verdict(
            what=f"CPU ms of a governed call beyond the bare tool, c={concurrency}",
            measured=found.beyond_bare_ms(UNSAFE, concurrency).text(".2f"),
            target=f"≤ {CALL_CPU_MS}, aim {CALL_CPU_AIM_MS}",
            is_held=None,
        )


def of_takeover(found: Takeover) -> Iterator[Verdict]:
    """Compare the longest takeover: its lease and its beat count for more than the machine."""
    claimed = found.claimed_s()
    yield Verdict(
        what="s from a worker's death to the other's claim, the longest",
        measured=f"{claimed.greatest:.1f}",
        target=f"≤ {TAKEOVER_S}",
        is_held=claimed.greatest <= TAKEOVER_S,
    )


def of_cancel(found: Cancel) -> Iterator[Verdict]:
    """Compare the slow cancellations: the worker's beat counts for more than the machine."""
    slow = found.ms(ELSEWHERE, 99)
    yield Verdict(
        what="ms until a run that another process drives is cancelled, p99",
        measured=f"{slow:.0f}",
        target=f"≤ {CANCEL_P99_MS}",
        is_held=slow <= CANCEL_P99_MS,
    )
