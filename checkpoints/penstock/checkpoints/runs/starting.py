"""Queueing runs."""

import json
from datetime import datetime

from sqlalchemy import Connection, select

from penstock.checkpoints import run_sql
from penstock.checkpoints.runs.deadlines import deadline
from penstock.checkpoints.runs.family import inherit
from penstock.checkpoints.runs.rows import run_of, tell
from penstock.checkpoints.schema import run_tags, runs
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
        IllegalTransition, UnknownRun: it is to have a parent that starts no runs, or is none.
        RunKeyReused: the key names a run of another graph, thread or input.
        ThreadBusy: the thread has a run that is not over, and the new one is not to wait.
    """
    if run.parent_id is not None:
        if (known := _known(connection, run)) is not None:
            return _same(known, run), False
        run = inherit(connection, run, run.parent_id, at=at)
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
            "parent_id": run.parent_id,
            "tags": json.dumps(run.tags, ensure_ascii=False),
        },
    )
    if added is None:
        if (known := _known(connection, run)) is None:
            raise RunKeyReused(f"run `{run.id}` exists already, under another key")
        return _same(known, run), False
    if run.tags:
        tagged = [{"run_id": run.id, "tenant": run.tenant, "tag": tag} for tag in run.tags]
        connection.execute(run_tags.insert(), tagged)
    if when_busy is WhenBusy.REFUSE:
        _refuse_busy(connection, run)
    stored = run_of(added)
    tell(
        connection,
        stored,
        "run.queued",
        at=at,
        actor=actor,
        caller=run.caller,
        origin=run.origin,
    )
    return stored, True


def _known(connection: Connection, run: NewRun) -> Run | None:
    """Return the run that has the key already."""
    if run.key is None:
        return None
    same = select(runs).where(runs.c.tenant == run.tenant, runs.c.key == run.key)
    row = connection.execute(same).mappings().first()
    return None if row is None else run_of(dict(row))


def _same(found: Run, run: NewRun) -> Run:
    wanted = (run.graph, run.input, run.thread_id, run.parent_id)
    is_same = (found.graph, found.input, found.thread_id, found.parent_id) == wanted
    if not is_same or (found.mode is not run.mode and run.parent_id is None):
        msg = (
            f"the key `{run.key}` already names run `{found.id}`, of graph `{found.graph}` on"
            f" thread `{found.thread_id}`, with another graph, thread, input, mode or parent; use a"
            " new key"
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
