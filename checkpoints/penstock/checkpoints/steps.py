"""Steps in the store: what ran, when, and how it ended.

The end of a step is stored with the checkpoint that holds its results, in the same commit. So a
step whose status is succeeded has left its results, and is never executed again.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, bindparam, exists, func, or_, select

from penstock.checkpoints.schema import runs, steps
from penstock.checkpoints.statements import insert_or_replace, prepared
from penstock.contracts.ids import RunId
from penstock.contracts.run import RunStatus
from penstock.contracts.step import Step, StepKind, StepStatus


def record(connection: Connection, progress: Sequence[Step]) -> None:
    """Record the progress of steps.

    Nothing is written for a driver that has lost its lease, nor for a step that succeeded under an
    earlier lease: LangGraph reports it again, without executing it.
    """
    for step in progress:
        _record.execute(connection, {name: getattr(step, name) for name in _NAMES})


def of_run(connection: Connection, run_id: RunId) -> Sequence[Step]:
    """Return the steps of a run, in the order in which they were written down first."""
    return [_step(row) for row in _of_run.rows(connection, {"run": run_id})]


def count(connection: Connection, run_id: RunId) -> int:
    """Return how many steps of a run were executed to their end."""
    row = _count.first(connection, {"run": run_id})
    return 0 if row is None else row["executed"]


def executed() -> Select[int]:
    """Return the query that counts what `count` does, of the run `run`."""
    is_over = or_(steps.c.status == StepStatus.SUCCEEDED, steps.c.status == StepStatus.FAILED)
    return select(func.count().label("executed")).where(steps.c.run_id == bindparam("run"), is_over)


def succeeded(connection: Connection, run_id: RunId) -> frozenset[str]:
    """Return the tasks of a run whose steps have succeeded."""
    return frozenset(row["task_id"] for row in _succeeded.rows(connection, {"run": run_id}))


_COLUMNS = [column for column in steps.c if column.name != "id"]
_NAMES = [column.name for column in _COLUMNS]


@prepared()
def _of_run(_: Dialect) -> Select[Any]:
    return select(*_COLUMNS).where(steps.c.run_id == bindparam("run")).order_by(steps.c.id)


@prepared()
def _count(_: Dialect) -> Select[Any]:
    return executed()


@prepared()
def _succeeded(_: Dialect) -> Select[Any]:
    return select(steps.c.task_id).where(
        steps.c.run_id == bindparam("run"), steps.c.status == StepStatus.SUCCEEDED
    )


@prepared()
def _record(dialect: Dialect) -> Insert:
    before = steps.alias("before")
    values = [
        bindparam(column.name, type_=column.type).label(column.name)
        for column in _COLUMNS
        if column.name not in {"run_id", "epoch"}
    ]
    rows = select(runs.c.id.label("run_id"), runs.c.epoch, *values).where(
        runs.c.id == bindparam("run_id"),
        runs.c.epoch == bindparam("epoch"),
        runs.c.status == RunStatus.RUNNING,
        ~exists().where(
            before.c.run_id == runs.c.id,
            before.c.task_id == bindparam("task_id"),
            before.c.status == StepStatus.SUCCEEDED,
        ),
    )
    return insert_or_replace(dialect, steps, key=("run_id", "task_id", "epoch"), rows=rows)


def _step(row: dict[str, Any]) -> Step:
    row["kind"], row["status"] = StepKind(row["kind"]), StepStatus(row["status"])
    return Step(**row)
