"""Measure tools in processes of their own: `python -m bench.isolation`.

Compares a process that waits, one that is forked for the call, and a Python that is started for it.
"""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from penstock.contracts.call import Attempt
from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.nodes.isolation import Job, Pool

PAUSE_S = 0.05
"""Between two calls, so that what is made ahead is ready."""

_FAR = datetime(2100, 1, 1, tzinfo=UTC)
_MODULE = "bench.isolated"


def main() -> None:
    """Measure, and print."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    asyncio.run(_measure())


async def _measure() -> None:
    began_s = time.perf_counter()
    async with Pool(preload=[f"{_MODULE}:add"]) as pool:
        _print("start of a pool", [time.perf_counter() - began_s])
        _print("a call, in a process that waits", await _times(pool, count=200, pause_s=PAUSE_S))
        _print("calls without a pause", await _times(pool, count=200, pause_s=0))
        began_s = time.perf_counter()
        await asyncio.gather(*(_add(pool) for _ in range(64)))
        took_s = time.perf_counter() - began_s
        _print("a call of 64 at once, on the average", [took_s / 64])
    async with Pool(preload=[f"{_MODULE}:add"], idle_count=0) as pool:
        _print(
            "a call, in a process that is forked", await _times(pool, count=100, pause_s=PAUSE_S)
        )
    _print("a Python that imports the tool", [_import_s() for _ in range(5)])


async def _times(pool: Pool, *, count: int, pause_s: float) -> Sequence[float]:
    return [await _time(lambda: _add(pool), pause_s=pause_s) for _ in range(count)]


async def _time(act: Callable[[], Awaitable[object]], *, pause_s: float) -> float:
    await asyncio.sleep(pause_s)
    began_s = time.perf_counter()
    await act()
    return time.perf_counter() - began_s


async def _add(pool: Pool) -> str:
    attempt = Attempt(key=IdempotencyKey("k"), number=1, deadline_at=_FAR, run_id=RunId("r"))
    return await pool.run(
        Job(
            import_path=f"{_MODULE}:add",
            arguments='{"a":1,"b":2}',
            attempt=attempt,
            remaining_s=30.0,
        )
    )


def _import_s() -> float:
    began_s = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", f"import {_MODULE}"], env=environment, check=True)
    return time.perf_counter() - began_s


def _print(what: str, times_s: Sequence[float]) -> None:
    p50_ms, most_ms = statistics.median(times_s) * 1000, max(times_s) * 1000
    print(f"{what:40} p50 {p50_ms:8.1f} ms, at most {most_ms:8.1f} ms")


if __name__ == "__main__":
    main()
