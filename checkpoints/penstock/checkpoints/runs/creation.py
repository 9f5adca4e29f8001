"""Creating runs: queued by their key, below a parent run, or forked from another run."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from penstock.checkpoints import audit
from penstock.checkpoints.runs import rows
from penstock.checkpoints.runs.queries import get, lock
from penstock.checkpoints.runs.rows import record_event, run_of
from penstock.checkpoints.runs.transitions import deadline
from penstock.checkpoints.schema import run_tags, runs
from penstock.contracts.audit import AuditEvent
from penstock.contracts.errors import IllegalTransition, RunKeyReused, ThreadBusy, UnknownRun
from penstock.contracts.ids import RunId
from penstock.contracts.run import (
    LIVE,
    NewRun,
    Origin,
    Run,
    RunMode,
    RunStatus,
    WhenBusy,
)


def inherit(connection: Connection, run: NewRun, parent_id: RunId, *, at: datetime) -> NewRun:
    """Return a new run with what it inherits: principal, mode, tags, the time left.

    The parent is locked until the transaction is over: it is not cancelled in between.

    Raises:
        IllegalTransition: the parent is over, or about to be.
        ThreadBusy: it would wait for the parent to end, on the parent's thread.
        UnknownRun: the tenant has no such run.
    """
    lock(connection, parent_id)
    parent = get(connection, parent_id)
    if parent.tenant != run.tenant:
        raise UnknownRun(f"no run of tenant `{run.tenant}` has the id `{parent_id}`")
    left_s = None if parent.deadline_at is None else (parent.deadline_at - at).total_seconds()
    is_late = left_s is not None and left_s <= 0
    if parent.status not in LIVE or parent.cancel_by is not None or is_late:
        raise IllegalTransition(
            f"run `{parent_id}` is {parent.status}, cancelled or at its deadline, and starts no"
            " others; start this one without a parent"
        )
    if parent.thread_id == run.thread_id:
        raise ThreadBusy(
            f"thread `{run.thread_id}` is that of run `{parent_id}`, whose child would wait for its"
            " end; give it another thread, or none"
        )
    limits = [each for each in (run.deadline_s, left_s) if each is not None]
    return replace(
        run,
        principal=parent.principal,
        mode=RunMode.SIMULATE if parent.mode is RunMode.SIMULATE else run.mode,
        deadline_s=min(limits, default=None),
        tags=tuple(sorted({*run.tags, *parent.tags})),
    )


def ancestors(connection: Connection, run: Run) -> Sequence[RunId]:
    """Return the ancestors of a run, its parent first."""
    above: list[RunId] = []
    parent_id = run.parent_id
    while parent_id is not None:
        above.append(parent_id)
        parent_id = get(connection, parent_id).parent_id
    return above


def living_children(connection: Connection, run_id: RunId) -> Sequence[RunId]:
    """Return the children of a run that are not over, in the order to lock them."""
    below = (
        select(runs.c.id)
        .where(runs.c.parent_id == run_id, runs.c.status.in_(sorted(LIVE)))
        .order_by(runs.c.id)
    )
    return [RunId(found) for found in connection.execute(below).scalars()]


def create(
    connection: Connection, run: NewRun, *, when_busy: WhenBusy, at: datetime, actor: str
) -> tuple[Run, bool]:
    """Queue a run; return it as stored, and whether this call queued it.

    For a key that was used before, the run with that key is returned, whatever its status.

    Raises:
        IllegalTransition, UnknownRun: its parent may not start runs, or does not exist.
        RunKeyReused: the key names a run of another graph, thread or input.
        ThreadBusy: the thread has a run that is not over, and the new one is not to wait.
    """
    if run.parent_id is not None:
        if (known := _known(connection, run)) is not None:
            return _same(known, run), False
        run = inherit(connection, run, run.parent_id, at=at)
    added = rows.add.first(
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
    record_event(
        connection,
        stored,
        "run.queued",
        at=at,
        actor=actor,
        caller=run.caller,
        origin=run.origin,
    )
    return stored, True


def record_fork(
    connection: Connection,
    origin: Origin,
    fork: Run,
    *,
    edited: str,
    edits: str,
    at: datetime,
    actor: str,
) -> None:
    """Append the event of a run that goes on from a checkpoint of another.

    `edited` names the channels whose values were edited; the event has only a code of `edits`.
    """
    audit.append(
        connection,
        AuditEvent(
            tenant=fork.tenant,
            at=at,
            actor=actor,
            action="run.forked",
            run_id=origin.run_id,
            detail={
                "fork": fork.id,
                "checkpoint": origin.checkpoint_id,
                "mode": fork.mode,
                "edited": edited or None,
            },
            texts={"edits": edits},
        ),
    )


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
