"""Runs in the store. Every function takes a connection first and is one transaction's part.

A change of state is an update that holds its own guard and must touch exactly one row; nothing is
read first and believed later. Each writes its audit event beside it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from penstock.checkpoints import audit
from penstock.checkpoints.schema import runs
from penstock.contracts.audit import AuditEvent
from penstock.contracts.errors import IllegalTransition, UnknownRun
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import (
    ENDED,
    Failure,
    FailureCode,
    Fence,
    NewRun,
    Run,
    RunStatus,
    sources,
)
from penstock.contracts.signals import LeaseLost


def create(connection: Connection, run: NewRun, *, at: datetime, actor: str) -> Run:
    """Queue a run and return it as stored."""
    connection.execute(
        insert(runs).values(
            id=run.id,
            tenant=run.tenant,
            thread_id=run.thread_id,
            graph=run.graph,
            graph_version=run.graph_version,
            status=RunStatus.QUEUED,
            epoch=0,
            created_at=at,
            changed_at=at,
        ),
    )
    stored = get(connection, run.id)
    _tell(connection, stored, "run.queued", at=at, actor=actor)
    return stored


def get(connection: Connection, run_id: RunId) -> Run:
    """Return a run.

    Raises:
        UnknownRun: there is none with this id.
    """
    row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
    if row is None:
        msg = f"no run has the id `{run_id}` in this store"
        raise UnknownRun(msg)
    return _run(row)


def claim(connection: Connection, run_id: RunId, worker: WorkerId, *, at: datetime) -> Fence | None:
    """Take a queued run for `worker`; return its new fence, or nothing if it is not to be had."""
    claimed = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.status == RunStatus.QUEUED)
        .values(status=RunStatus.RUNNING, epoch=runs.c.epoch + 1, worker_id=worker, changed_at=at),
    )
    if claimed.rowcount != 1:
        return None
    run = get(connection, run_id)
    _tell(connection, run, "run.claimed", at=at, actor=worker)
    return Fence(run_id=run.id, epoch=run.epoch)


def move(
    connection: Connection,
    fence: Fence,
    to: RunStatus,
    *,
    at: datetime,
    actor: str,
    failure: Failure | None = None,
) -> Run:
    """Move a run to another state, if it still is at the fence's epoch; return it as it is now.

    A run becomes running only by `claim`. `failure` says why it failed, and only then.

    Raises:
        LeaseLost: somebody has claimed the run since.
        IllegalTransition: a run in its state cannot make this move.
        UnknownRun: there is no such run.
    """
    allowed = sources(to) if to is not RunStatus.RUNNING else frozenset[RunStatus]()
    values: dict[str, Any] = {
        "status": to,
        "worker_id": None,
        "changed_at": at,
        "ended_at": at if to in ENDED else None,
        "failure_code": None if failure is None else failure.code,
        "failure_message": None if failure is None else failure.message,
        "failure_redrivable": None if failure is None else failure.redrivable,
    }
    moved = connection.execute(
        update(runs)
        .where(
            runs.c.id == fence.run_id,
            runs.c.epoch == fence.epoch,
            runs.c.status.in_(sorted(allowed)),
        )
        .values(**values),
    )
    run = get(connection, fence.run_id)
    if moved.rowcount != 1:
        raise _refusal(run, fence, to)
    _tell(connection, run, f"run.{to}", at=at, actor=actor)
    return run


def _refusal(run: Run, fence: Fence, to: RunStatus) -> LeaseLost | IllegalTransition:
    if run.epoch != fence.epoch:
        return LeaseLost(f"run `{run.id}` is at epoch {run.epoch}, not at {fence.epoch} any more")
    wanted = ", ".join(sorted(sources(to)))
    return IllegalTransition(
        f"run `{run.id}` is {run.status} and cannot become {to}: only from {wanted}",
    )


def _tell(connection: Connection, run: Run, action: str, *, at: datetime, actor: str) -> None:
    code = None if run.failure is None else str(run.failure.code)
    audit.append(
        connection,
        AuditEvent(
            tenant=run.tenant,
            at=at,
            actor=actor,
            action=action,
            run_id=run.id,
            detail={"epoch": run.epoch, "failure": code},
        ),
    )


def _run(row: Row[Any]) -> Run:
    failure = None
    if row.failure_code is not None:
        failure = Failure(
            code=FailureCode(row.failure_code),
            message=row.failure_message,
            redrivable=bool(row.failure_redrivable),
        )
    return Run(
        id=row.id,
        tenant=row.tenant,
        thread_id=row.thread_id,
        graph=row.graph,
        graph_version=row.graph_version,
        status=RunStatus(row.status),
        epoch=row.epoch,
        worker_id=row.worker_id,
        created_at=row.created_at,
        changed_at=row.changed_at,
        ended_at=row.ended_at,
        failure=failure,
    )
