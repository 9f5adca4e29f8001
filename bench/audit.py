"""Measure what the audit's chain costs: `python -m bench.audit [URL]`, SQLite without one.

Transactions of so many events each, of one run, with a code of their arguments. What is measured
is the sealing: the time between the last change and the commit, in CPU of the writer's thread, and
as a clock has it where a server works.
"""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit, migrate
from penstock.checkpoints.audit import chain
from penstock.checkpoints.audit.verification import verify
from penstock.contracts.audit import AuditEvent
from penstock.contracts.clock import SystemClock
from penstock.contracts.ids import RunId, new_run_id

COUNTS = (1, 4, 16, 64)
ROUNDS, COMMITS = 5, 100
TARGET_US = 70


def main() -> None:
    """Measure, and print."""
    with TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/audit.db"
        migrate(url)
        with Store.open(url) as store:
            _measure(store)


def _measure(store: Store) -> None:
    at = SystemClock().now()
    run_id = new_run_id(at)
    clock = time.thread_time if store.dialect.name == "sqlite" else time.perf_counter
    for count in COUNTS:
        medians: list[float] = []
        for _ in range(ROUNDS):
            taken: list[float] = []
            for _ in range(COMMITS):
                store.write_blocking(_telling(run_id, at, count, clock, taken))
            medians.append(statistics.median(taken) * 1e6)
        low, mid, high = min(medians), statistics.median(medians), max(medians)
        print(
            f"{count} events a commit: {mid:.0f} ({low:.0f} to {high:.0f}) µs a commit,"
            f" {mid / count:.0f} µs an event; wanted ≤ {TARGET_US}"
        )
    tenant = _event(run_id, at).tenant
    began_s = time.perf_counter()
    found = store.read_blocking(lambda connection: verify(connection, tenant))
    rate = found.number / (time.perf_counter() - began_s)
    print(f"verified {found.number:,} events, {rate:,.0f} a second, {len(found.faults)} faults")


def _telling(
    run_id: RunId, at: datetime, count: int, clock: Callable[[], float], taken: list[float]
) -> Callable[[Connection], None]:
    def change(connection: Connection) -> None:
        for _ in range(count):
            audit.append(connection, _event(run_id, at))
        began = clock()
        chain.seal(connection)
        taken.append(clock() - began)
        # What is sealed is not sealed again at the commit.
        chain.rollback_to(connection, 0)

    return change


def _event(run_id: RunId, at: datetime) -> AuditEvent:
    return AuditEvent(
        tenant="bench",
        at=at,
        actor="bench-1-0000",
        action="effect.started",
        run_id=run_id,
        detail={"effect": "e" * 64, "tool": "pay", "version": "1", "class": "unsafe", "attempt": 1},
        texts={"arguments": '{"amount":12,"to":"somebody"}'},
    )


if __name__ == "__main__":
    main()
