"""Annotations for the tracing backend: decisions and outcomes, found in the store and sent later.

Decisions and outcomes are queried from the tables of gates and runs: deciding or driving writes
nothing for them, and where no backend is configured, there are no rows. Like a notice, an
annotation is claimed for a time, retried with growing waits, and given up in the end.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    Update,
    cast,
    func,
    literal,
    null,
    select,
    update,
)

from penstock.checkpoints.schema import annotations, gates, runs
from penstock.checkpoints.statements import database_now, insert_or_keep
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import GateId, RunId
from penstock.contracts.run import ENDED, RunStatus
from penstock.contracts.trace import Annotation, AnnotationCounts, AnnotationKind

TAKEN_S = 60.0
"""How long an annotation belongs to the worker that took it; longer than a request may take."""
FIRST_WAIT_S = 5.0
"""After a failure; each further wait is twice as long, up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S = 3600.0
ATTEMPT_LIMIT = 16
"""An annotation is given up after so many failures, after about seven hours."""

_GIVEN_UP = "given up: "
_DECIDED_STATUSES = (GateStatus.DECIDED, GateStatus.EXPIRED)


def any_due(connection: Connection, *, since: datetime) -> bool:
    """Tell whether `take` has something to do."""
    due = select(annotations.c.subject).where(*_due(connection)).limit(1)
    if connection.execute(due).first() is not None:
        return True
    return any(connection.execute(new.limit(1)).first() is not None for new in _new(since))


def take(connection: Connection, *, since: datetime, limit: int) -> Sequence[Annotation]:
    """Take annotations of gates and runs that closed since an instant, for `TAKEN_S`.

    A gate is annotated once its run has gone on: before that, there is no span to annotate.
    """
    names = ["subject", "kind", "run_id", "gate_id", "due_at", "attempt_count"]
    for new in _new(since):
        found = new.limit(limit).add_columns(database_now(connection.dialect), literal(0))
        connection.execute(
            insert_or_keep(connection.dialect, annotations).from_select(names, found)
        )
    due = (
        select(annotations.c.subject)
        .where(*_due(connection))
        .order_by(annotations.c.due_at, annotations.c.subject)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    subjects = connection.execute(due).scalars().all()
    if not subjects:
        return []
    rows = connection.execute(
        update(annotations)
        .where(annotations.c.subject.in_(subjects))
        .values(
            due_at=database_now(connection.dialect, plus_s=TAKEN_S),
            attempt_count=annotations.c.attempt_count + 1,
        )
        .returning(*annotations.c)
    )
    return [_annotation(row) for row in rows]


def record_sent(connection: Connection, annotation: Annotation, *, outcome: str = "told") -> None:
    """Close an annotation that was sent, or needs no sending; `outcome` says which.

    A late report is accepted too: that it was sent is true all the same.
    """
    now = database_now(connection.dialect)
    connection.execute(_open(annotation).values(closed_at=now, outcome=outcome))


def record_failure(connection: Connection, annotation: Annotation, *, why: str) -> None:
    """Schedule another attempt of an annotation that could not be sent, or give it up.

    The report of a worker is ignored if another worker has taken the annotation since.
    """
    is_own = annotations.c.attempt_count == annotation.attempt_count
    if annotation.attempt_count >= ATTEMPT_LIMIT:
        now = database_now(connection.dialect)
        given_up = {"closed_at": now, "outcome": f"{_GIVEN_UP}{why}"}
        connection.execute(_open(annotation).where(is_own).values(given_up))
        return
    wait_s = min(FIRST_WAIT_S * 2 ** (annotation.attempt_count - 1), LONGEST_WAIT_S)
    later = database_now(connection.dialect, plus_s=wait_s)
    connection.execute(_open(annotation).where(is_own).values(due_at=later))


def release(connection: Connection, annotation: Annotation, *, wait_s: float) -> None:
    """Give an annotation back as if it had not been taken: the backend was not there."""
    later = database_now(connection.dialect, plus_s=wait_s)
    connection.execute(
        _open(annotation)
        .where(annotations.c.attempt_count == annotation.attempt_count)
        .values(due_at=later, attempt_count=annotation.attempt_count - 1)
    )


def counts(connection: Connection) -> AnnotationCounts:
    """Return how many annotations wait and were given up, of all tenants."""
    count = select(func.count()).select_from(annotations)
    waiting = connection.execute(count.where(annotations.c.closed_at.is_(None))).scalar()
    is_given_up = annotations.c.outcome.startswith(_GIVEN_UP)
    given_up = connection.execute(count.where(is_given_up)).scalar()
    return AnnotationCounts(waiting=waiting or 0, given_up=given_up or 0)


def _new(since: datetime) -> Sequence[Select[*tuple[Any, ...]]]:
    """Return queries for annotations that were never taken: decisions, and outcomes of runs."""
    of_gate = literal("gate:") + gates.c.id
    of_end = literal("run:") + runs.c.id + literal(":") + cast(runs.c.epoch, Text)
    decisions = (
        select(of_gate, literal(AnnotationKind.DECISION.value), gates.c.run_id, gates.c.id)
        .join(runs, runs.c.id == gates.c.run_id)
        .where(
            gates.c.closed_at >= since,
            gates.c.status.in_(_DECIDED_STATUSES),
            runs.c.status != RunStatus.QUEUED,
            runs.c.changed_at > gates.c.closed_at,
            ~_is_known(of_gate),
        )
    )
    ends = select(
        of_end, literal(AnnotationKind.OUTCOME.value), runs.c.id, cast(null(), Text)
    ).where(runs.c.ended_at >= since, runs.c.status.in_(ENDED), ~_is_known(of_end))
    return decisions, ends


def _is_known(subject: ColumnElement[str]) -> ColumnElement[bool]:
    return select(annotations.c.subject).where(annotations.c.subject == subject).exists()


def _due(connection: Connection) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    now = database_now(connection.dialect)
    return annotations.c.closed_at.is_(None), annotations.c.due_at <= now


def _open(annotation: Annotation) -> Update:
    return update(annotations).where(
        annotations.c.subject == annotation.subject, annotations.c.closed_at.is_(None)
    )


def _annotation(row: Any) -> Annotation:
    return Annotation(
        subject=row.subject,
        kind=AnnotationKind(row.kind),
        run_id=RunId(row.run_id),
        gate_id=None if row.gate_id is None else GateId(row.gate_id),
        attempt_count=row.attempt_count,
    )
