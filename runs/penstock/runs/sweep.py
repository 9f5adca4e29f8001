"""What every worker looks after: runs of lost workers, and gates whose time has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import gates, leases, runs
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import WorkerId
from penstock.contracts.policy import OnExpiry
from penstock.contracts.run import Failure, FailureCode, Run, RunStatus
from penstock.runs.lifecycle import put_calls_in_doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep moved."""

    lost: Sequence[Run]
    """Runs that were taken from workers that are not heard of any more."""
    woken: Sequence[Run]
    """Runs that waited at a gate and are to go on, or have failed there."""


def sweep_once(connection: Connection, *, lost_limit: int, at: datetime, actor: WorkerId) -> Swept:
    """Look after everything once, so much of each as one transaction should hold."""
    lost = [
        put_calls_in_doubt(connection, run, at=at, actor=actor)
        for run in leases.sweep(connection, lost_limit=lost_limit, at=at, actor=actor)
    ]
    gates.escalate(connection, limit=leases.SWEEP_LIMIT, at=at, actor=actor)
    expired = gates.expire(connection, limit=leases.SWEEP_LIMIT, at=at, actor=actor)
    woken = [_end_waiting(connection, gate, at=at, actor=actor) for gate in expired]
    due = gates.due(connection, limit=leases.SWEEP_LIMIT)
    looking = [runs.wake(connection, run_id, at=at, actor=actor) for run_id in due]
    return Swept(lost=lost, woken=[*woken, *looking])


def _end_waiting(connection: Connection, gate: Gate, *, at: datetime, actor: WorkerId) -> Run:
    """Let the run of a gate that has expired go on, or fail, as the gate says."""
    run = runs.get(connection, gate.run_id)
    fails = gate.on_expiry is OnExpiry.FAIL or gate.kind is GateKind.BUDGET
    if not fails or run.status is not RunStatus.WAITING:
        # One that is on its way finds the gate as it is now.
        return runs.wake(connection, gate.run_id, at=at, actor=actor)
    failure = Failure(
        code=FailureCode.GATE_EXPIRED,
        message=f"nobody decided in time at gate `{gate.id}`; redrive the run to ask again",
        redrivable=True,
    )
    return runs.move(connection, run.fence, RunStatus.FAILED, at=at, actor=actor, failure=failure)
