"""Queueing runs."""

from datetime import datetime

from sqlalchemy import Connection, select

from penstock.checkpoints import run_sql
from penstock.checkpoints.runs.deadlines import deadline
from penstock.checkpoints.runs.rows import run_of, tell
from penstock.checkpoints.schema import runs
from penstock.contracts.errors import RunKeyReused, ThreadBusy
from penstock.contracts.run import (
    LIVE,
    NewRun,
    Run,
    RunStatus,
    WhenBusy,
)


def create(
    connection: Connection, run: NewRun, *, when_busy: WhenBusy, at: datetime, actor: str
) -> tuple[Run, bool]:
    """Queue a run; return it as stored, and whether this call queued it.

    A key that was used before gives the run it names, whatever has become of it.

    Raises:
        RunKeyReused: the key names a run of another graph, thread or input.
        ThreadBusy: the thread has a run that is not over, and the new one is not to wait.
    """
    added = run_sql.add.first(
        connection,
        {
            "id": run.id,
            "tenant": run.tenant,
            "key": run.key,
            "thread_id": run.thread_id,
            "graph": run.graph,
            "graph_version": run.graph_version,
            "fingerprint": run.fingerprint,
            "input": run.input,
            "mode": run.mode,
            "principal": run.principal,
            "status": RunStatus.QUEUED,
            "epoch": 0,
            "lost_count": 0,
            "created_at": at,
            "changed_at": at,
            "deadline_ms": None if run.deadline_s is None else round(run.deadline_s * 1000),
            "deadline_at": deadline(run.deadline_s, at),
        },
    )
    if added is None:
        return _named(connection, run), False
    if when_busy is WhenBusy.REFUSE:
        _refuse_busy(connection, run)
    stored = run_of(added)
    tell(connection, stored, "run.queued", at=at, actor=actor, caller=run.caller)
    return stored, True


def _named(connection: Connection, run: NewRun) -> Run:
    same = select(runs).where(runs.c.tenant == run.tenant, runs.c.key == run.key)
    row = connection.execute(same).mappings().first()
    if row is None:
        msg = f"run `{run.id}` exists already, under another key"
        raise RunKeyReused(msg)
    found = run_of(dict(row))
    wanted = (run.graph, run.input, run.mode, run.thread_id)
    if (found.graph, found.input, found.mode, found.thread_id) != wanted:
        msg = (
            f"the key `{run.key}` already names run `{found.id}`, of graph `{found.graph}` on"
            f" thread `{found.thread_id}`, with another graph, thread, input or mode; use a new key"
        )
        raise RunKeyReused(msg)
    return found


def _refuse_busy(connection: Connection, run: NewRun) -> None:
    other = connection.execute(
        select(runs.c.id).where(
            runs.c.thread_id == run.thread_id,
            runs.c.status.in_(sorted(LIVE)),
            runs.c.id != run.id,
        )
    ).scalar()
    if other is not None:
        msg = (
            f"thread `{run.thread_id}` is busy with run `{other}`; wait for its end, cancel it, or"
            " let the new run wait"
        )
        raise ThreadBusy(msg)
