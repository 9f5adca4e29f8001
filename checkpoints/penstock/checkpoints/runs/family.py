"""Runs that other runs have started: who is above them, and who below."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from penstock.checkpoints.runs.reading import get, lock
from penstock.checkpoints.schema import runs
from penstock.contracts.errors import IllegalTransition, ThreadBusy, UnknownRun
from penstock.contracts.ids import RunId
from penstock.contracts.run import LIVE, NewRun, Run, RunMode


def inherit(connection: Connection, run: NewRun, parent_id: RunId, *, at: datetime) -> NewRun:
    """Return a new run with what its parent gives it: principal, mode, tags, the time left.

    The parent stays as it is until the transaction is over: it is not cancelled in between.

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
    """Return the runs above a run, the one that started it first."""
    above: list[RunId] = []
    parent_id = run.parent_id
    while parent_id is not None:
        above.append(parent_id)
        parent_id = get(connection, parent_id).parent_id
    return above


def living_children(connection: Connection, run_id: RunId) -> Sequence[RunId]:
    """Return the runs that a run has started and that are not over, in the order to lock them."""
    below = (
        select(runs.c.id)
        .where(runs.c.parent_id == run_id, runs.c.status.in_(sorted(LIVE)))
        .order_by(runs.c.id)
    )
    return [RunId(found) for found in connection.execute(below).scalars()]
