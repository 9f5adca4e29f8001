"""How a conversation grows: bytes on disk, processor time a step, and what reading it takes."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.contestants import ASYNC_SQLITE, NOTHING, PENSTOCK, STOCK, THREADED_SQLITE, Contestant
from bench.disk import Tally, size_of, used_in, vacuum
from bench.graphs import chat, drive, lines_of_text, on_thread
from bench.spread import Spread, spread

LONG = 800
"""The length of conversation for which there is a target."""

READ_COUNT = 9
THREAD = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One contestant with a conversation of one length."""

    contestant: Contestant
    deltas: bool
    """Whether LangGraph keeps the messages in a `DeltaChannel`."""
    message_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one conversation took, once."""

    round: int
    contestant: str
    deltas: bool
    message_count: int
    cpu_us: float
    """Processor time of a step, all threads, in microseconds."""
    database_bytes: int
    """The database's file once its log is merged into it; 0 without a database."""
    get_state_s: float
    """The median time to read the thread's newest state."""
    prune_s: float | None
    """The time to keep only the newest checkpoint, for who can."""
    pruned_bytes: int | None
    """The pages that hold something after that."""
    vacuumed_bytes: int | None
    """The database's file after a `VACUUM`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured."""

    rounds: int
    cases: tuple[Case, ...]


def plan(*, quick: bool) -> Plan:
    """Return what is measured."""
    cases: list[Case] = []
    for message_count in (50, 200, LONG):
        for deltas in (False, True):
            for contestant in (NOTHING, ASYNC_SQLITE, THREADED_SQLITE, PENSTOCK):
                if contestant is NOTHING and deltas:
                    continue
                if quick and message_count == LONG and contestant in STOCK:
                    continue
                cases.append(
                    Case(contestant=contestant, deltas=deltas, message_count=message_count)
                )
    return Plan(rounds=1 if quick else 3, cases=tuple(cases))


def measure(plan: Plan, folder: Path, *, done: Callable[[str], None]) -> "Growth":
    """Measure `plan` on databases below `folder`; `done` is told what was measured."""
    samples: list[Sample] = []
    lines = lines_of_text(LONG)
    for number in range(plan.rounds):
        for case in plan.cases:
            with TemporaryDirectory(dir=folder) as own:
                gc.collect()
                talk = _Talk(case, Path(own) / "bench.db", lines)
                samples.append(asyncio.run(talk.sample(number)))
            done(f"{case.message_count} messages, {case.contestant.name}")
    return Growth(samples)


class Growth:
    """What was measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of all rounds."""
        self.samples = samples

    def message_counts(self) -> Sequence[int]:
        """Return the lengths of conversation."""
        return sorted({sample.message_count for sample in self.samples})

    def kinds(self) -> Sequence[tuple[str, bool]]:
        """Return contestants, each with whether `DeltaChannel` was used, in order of tables."""
        return list(dict.fromkeys((sample.contestant, sample.deltas) for sample in self.samples))

    def spread(
        self,
        kind: tuple[str, bool],
        message_count: int,
        value: Callable[[Sample], float | None],
    ) -> Spread | None:
        """Return the spread of a number over the rounds; nothing for what was not measured."""
        values = [
            value(sample)
            for sample in self.samples
            if (sample.contestant, sample.deltas) == kind and sample.message_count == message_count
        ]
        found = [value for value in values if value is not None]
        return spread(found) if found else None

    def bytes_of(self, contestant: Contestant, message_count: int) -> float | None:
        """Return the bytes of a plain conversation."""
        found = self.spread((contestant.name, False), message_count, lambda s: s.database_bytes)
        return None if found is None else found.median


@dataclass(frozen=True, slots=True)
class _Talk:
    case: Case
    path: Path
    lines: Sequence[str]

    async def sample(self, number: int) -> Sample:
        cpu_s, get_state_s = await self._hold()
        is_stored = self.case.contestant is not NOTHING
        database_bytes = size_of(self.path) if is_stored else 0
        prune_s = pruned_bytes = vacuumed_bytes = None
        if self.case.contestant is PENSTOCK:
            prune_s = await self._prune()
            pruned_bytes = used_in(self.path)
            vacuum(self.path)
            vacuumed_bytes = size_of(self.path)
        return Sample(
            round=number,
            contestant=self.case.contestant.name,
            deltas=self.case.deltas,
            message_count=self.case.message_count,
            cpu_us=cpu_s / self.case.message_count * 1e6,
            database_bytes=database_bytes,
            get_state_s=get_state_s,
            prune_s=prune_s,
            pruned_bytes=pruned_bytes,
            vacuumed_bytes=vacuumed_bytes,
        )

    async def _hold(self) -> tuple[float, float]:
        """Hold the conversation; return processor time, and how long reading its end takes."""
        async with self.case.contestant.open(self.path, Tally(0)) as opened:
            graph = chat(opened.saver, self.lines, deltas=self.case.deltas)
            is_stored = opened.saver is not None
            given: dict[str, Any] = {"messages": [], "wanted": 2}
            await drive(graph, given, thread_id="warm", is_stored=is_stored)
            given["wanted"] = self.case.message_count
            cpu_s = time.process_time()
            await drive(graph, given, thread_id=THREAD, is_stored=is_stored)
            cpu_s = time.process_time() - cpu_s
            if opened.saver is None:
                return cpu_s, 0.0
            reads: list[float] = []
            for _ in range(READ_COUNT):
                began = time.perf_counter()
                state = await graph.aget_state(on_thread(THREAD))
                reads.append(time.perf_counter() - began)
                if len(state.values["messages"]) != self.case.message_count:
                    msg = f"{self.case.contestant.name} gave back another conversation"
                    raise RuntimeError(msg)
        return cpu_s, median(reads)

    async def _prune(self) -> float:
        async with self.case.contestant.open(self.path, Tally(0)) as opened:
            if opened.saver is None:
                return 0.0
            began = time.perf_counter()
            await opened.saver.aprune([THREAD])
            return time.perf_counter() - began
