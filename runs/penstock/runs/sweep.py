"""The sweep: runs of lost workers are queued again, and gates whose time has come expire.

Every worker sweeps, so it makes no difference which one finds a run.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from typing_extensions import override

from penstock.checkpoints import Store, gates, leases, runs, workers
from penstock.contracts.clock import Clock
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import WorkerId
from penstock.contracts.policy import OnExpiry
from penstock.contracts.run import Failure, FailureCode, Run, RunStatus
from penstock.runs.engine import Engine
from penstock.runs.lifecycle import put_calls_in_doubt
from penstock.runs.services import Service

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The runs that a sweep has moved."""

    lost: Sequence[Run]
    """Runs that were taken from workers without a heartbeat."""
    woken: Sequence[Run]
    """Runs that waited at a gate and go on, or have failed there."""


class SweepService(Service):
    """Sweeps the store at each beat, and wakes workers for the runs that it has queued."""

    name = "sweep"
    stops_last = True

    def __init__(self, store: Store, engine: Engine, clock: Clock, *, lost_limit: int) -> None:
        """Fail runs that have lost `lost_limit` workers as poison, and queue the others."""
        self._store = store
        self._engine = engine
        self._clock = clock
        self._lost_limit = lost_limit

    @override
    async def run_once(self, worker: WorkerId) -> bool:
        """Sweep once."""

        def change(connection: Connection) -> Swept:
            swept = sweep_once(
                connection, lost_limit=self._lost_limit, at=self._clock.now(), actor=worker
            )
            for run in (*swept.lost, *swept.woken):
                if run.status is RunStatus.QUEUED:
                    self._engine.enqueue(connection, run)
            self._engine.sweep(connection)
            return swept

        def purge(connection: Connection) -> int:
            return workers.purge(connection, limit=leases.SWEEP_LIMIT)

        # A change of its own in the same commit: what people see of workers must not fail a sweep.
        self._store.post(purge)
        swept = await self._store.write(change)
        for run in swept.lost:
            log.warning("the worker of run %s was lost; the run is %s", run.id, run.status)
        if swept.lost or swept.woken:
            self._engine.wake()
        return False


def sweep_once(connection: Connection, *, lost_limit: int, at: datetime, actor: WorkerId) -> Swept:
    """Sweep runs and gates once: of each at most as many as one transaction should hold."""
    lost = [
        put_calls_in_doubt(connection, run, at=at, actor=actor)
        for run in leases.sweep(connection, lost_limit=lost_limit, at=at, actor=actor)
    ]
    gates.escalate(connection, limit=leases.SWEEP_LIMIT, at=at, actor=actor)
    expired = gates.expire(connection, limit=leases.SWEEP_LIMIT, at=at, actor=actor)
    ended = [_end_waiting(connection, gate, at=at, actor=actor) for gate in expired]
    due = gates.due(connection, limit=leases.SWEEP_LIMIT)
    woken = [runs.wake(connection, run_id, at=at, actor=actor) for run_id in due]
    return Swept(lost=lost, woken=[*ended, *woken])


def _end_waiting(connection: Connection, gate: Gate, *, at: datetime, actor: WorkerId) -> Run:
    """Let the run of an expired gate go on, or fail, as the gate says."""
    run = runs.get(connection, gate.run_id)
    fails = gate.on_expiry is OnExpiry.FAIL or gate.kind is GateKind.BUDGET
    if not fails or run.status is not RunStatus.WAITING:
        # A run that is not waiting yet reads the gate when it gets there.
        return runs.wake(connection, gate.run_id, at=at, actor=actor)
    failure = Failure(
        code=FailureCode.GATE_EXPIRED,
        message=f"nobody decided in time at gate `{gate.id}`; redrive the run to ask again",
        redrivable=True,
    )
    return runs.move(connection, run.fence, RunStatus.FAILED, at=at, actor=actor, failure=failure)
