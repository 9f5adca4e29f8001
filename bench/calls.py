"""What a governed tool call costs beyond the bare tool: CPU, durable commits, calls a second."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.tools import StructuredTool

from bench.allowing import OPEN
from bench.spread import Spread, difference, spread
from penstock.checkpoints import Store, migrate, policies, runs
from penstock.contracts.call import Done, NodeCall
from penstock.contracts.clock import SystemClock
from penstock.contracts.ids import ThreadId, WorkerId, new_run_id
from penstock.contracts.run import NewRun, Run, WhenBusy
from penstock.contracts.trace import TraceContent
from penstock.nodes import Tool, tool
from penstock.nodes.calls.authorization import Authorizer, PolicyCache
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.isolation import Pool
from penstock.nodes.late_attempts import LateAttempts
from penstock.nodes.pipeline import CallPipeline
from penstock.policies import OpenDirectory, read_source
from penstock.traces import Tracing

CONCURRENCIES = (1, 8, 64)
READ, UNSAFE = "read", "unsafe"


async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured."""

    rounds: int
    call_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round of one class of tools, so many calls at a time."""

    effect: str
    concurrency: int
    rate: float
    """Calls a second."""
    cpu_ms: float
    """Of a governed call."""
    bare_cpu_ms: float
    """Of the same function as LangChain's own tool."""
    commits: float
    """Durable commits a call."""


def plan(*, quick: bool) -> Plan:
    """Return what is measured."""
    return Plan(rounds=2, call_count=200) if quick else Plan(rounds=5, call_count=1000)


def measure(plan: Plan, folder: Path, *, done: Callable[[str], None]) -> "Calls":
    """Call tools in turns, in databases below `folder`."""
    samples: list[Sample] = []
    for number in range(plan.rounds):
        for effect in (READ, UNSAFE):
            for concurrency in CONCURRENCIES:
                url = f"sqlite:///{folder / f'calls-{number}-{effect}-{concurrency}.db'}"
                migrate(url)
                samples.append(asyncio.run(_round(url, effect, concurrency, plan.call_count)))
        done(f"round {number + 1}")
    return Calls(samples)


class Calls:
    """What was measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Take the samples of all rounds."""
        self.samples = samples

    def of(self, effect: str, concurrency: int, value: Callable[[Sample], float]) -> Spread:
        """Return the spread of a number over the rounds."""
        return spread([value(one) for one in self._of(effect, concurrency)])

    def beyond_bare_ms(self, effect: str, concurrency: int) -> Spread:
        """Return the CPU of a governed call beyond that of the bare tool."""
        found = self._of(effect, concurrency)
        return difference([one.cpu_ms for one in found], [one.bare_cpu_ms for one in found])

    def _of(self, effect: str, concurrency: int) -> Sequence[Sample]:
        return [
            one for one in self.samples if (one.effect, one.concurrency) == (effect, concurrency)
        ]


async def _round(url: str, effect: str, concurrency: int, count: int) -> Sample:
    bare: Any = StructuredTool.from_function(coroutine=add)
    governed = tool(add, name="add", effect=READ if effect == READ else UNSAFE)
    with Store.open(url) as store:
        calls = calls_of_run(store)
        free = asyncio.Semaphore(concurrency)

        async def call(number: int) -> None:
            async with free:
                await make_call(calls, governed, number)

        async def call_bare(number: int) -> None:
            async with free:
                await bare.ainvoke({"a": number, "b": 1})

        await asyncio.gather(*(call(-number) for number in range(1, 20)))
        committed, cpu_s, began_s = store.commit_count, time.process_time(), time.perf_counter()
        await asyncio.gather(*(call(number) for number in range(count)))
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        committed = store.commit_count - committed
        bare_s = time.process_time()
        await asyncio.gather(*(call_bare(number) for number in range(count)))
        bare_s = time.process_time() - bare_s
    return Sample(
        effect=effect,
        concurrency=concurrency,
        rate=count / took_s,
        cpu_ms=1e3 * cpu_s / count,
        bare_cpu_ms=1e3 * bare_s / count,
        commits=committed / count,
    )


async def make_call(calls: CallPipeline, governed: Tool[int], number: int) -> None:
    """Make a call, and make sure of what came of it."""
    origin = NodeCall(task_id="bench", index=number)
    outcome = await calls.call(governed, {"a": number, "b": 1}, origin, {})
    if outcome != Done(result=number + 1, recorded=False):
        raise RuntimeError(f"a call came to {outcome}")


def calls_of_run(store: Store, tracing: Tracing | None = None) -> CallPipeline:
    """Return what carries out the calls of a run that was claimed."""
    clock, worker = SystemClock(), WorkerId("bench")
    at = clock.now()
    run_id = new_run_id(at)
    new = NewRun(
        id=run_id,
        tenant="bench",
        key=None,
        thread_id=ThreadId(run_id),
        graph="bench",
        graph_version="1",
        fingerprint="f",
        input="{}",
    )

    def begin(connection: Any) -> Run:
        runs.create(connection, new, when_busy=WhenBusy.WAIT, at=at, actor="bench")
        claimed = runs.claim(connection, run_id, worker, lease_s=3600, at=at)
        if claimed is None:
            raise RuntimeError("the run was not claimed")
        return claimed

    run = store.write_blocking(begin)
    people = OpenDirectory()
    source = read_source(OPEN)
    store.write_blocking(
        lambda connection: policies.load(connection, "bench", source, at=at, by="bench")
    )
    trace = (tracing or Tracing()).segment(
        run, clock, content=TraceContent.REDACTED, sensitive={}, timeouts_s={}
    )
    context = SegmentContext(
        store=store, clock=clock, run=run, worker=worker, pool=Pool(), people=people, trace=trace
    )
    authorizer = Authorizer(run, PolicyCache("bench", [], people), people, clock)
    return CallPipeline(context, authorizer, LateAttempts(store, clock, worker))
