"""On PostgreSQL, a vote and the worker that drives its run do not wait for each other."""

import asyncio
import threading
import time

import pytest
from sqlalchemy import Connection, create_engine, text

from penstock.checkpoints import Store, gates
from penstock.checkpoints.fence import require_lease
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import GateClosed
from support.council import Council

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def until_somebody_waits(url: str, *, within_s: float = 90) -> None:
    """Come back when a transaction waits for a lock."""
    engine, ends = create_engine(url), time.monotonic() + within_s
    try:
        while True:
            with engine.connect() as connection:
                if connection.execute(WAITING).scalar_one():
                    return
            assert time.monotonic() < ends, "nobody waits for a lock"
    finally:
        engine.dispose()


async def test_a_vote_waits_for_the_run_before_it_holds_the_gate(postgresql_url: str) -> None:
    with Store.open(postgresql_url) as store, Store.open(postgresql_url) as other:
        council = Council(store)
        asked = await council.start()
        gate = await council.gate(asked)
        voters = Council.approvals_of(other, council)
        holds = threading.Event()

        def act(connection: Connection) -> None:
            """Be the worker: with the lease of the run, close its gate."""
            require_lease(connection, asked.run.fence)
            holds.set()
            until_somebody_waits(postgresql_url)
            gates.supersede(connection, [gate.id], at=SystemClock().now(), actor="worker")

        acting = asyncio.create_task(store.write(act))
        await asyncio.to_thread(holds.wait, 20)
        with pytest.raises(GateClosed):
            await voters.approve(gate.id, by="bob", binding=gate.binding or "")
        await acting
