"""The statements that every run takes on its way, each compiled once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Dialect, Float, Select, bindparam, select, text, update
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from penstock.checkpoints.database import database_now, insert_or_keep
from penstock.checkpoints.schema import one_of, runs
from penstock.checkpoints.statements import Prepared, prepared
from penstock.contracts.run import TRANSITIONS, RunStatus, sources


@prepared(
    *("id", "tenant", "key", "thread_id", "graph", "graph_version", "fingerprint", "input"),
    *("mode", "principal", "status", "epoch", "lost_count", "created_at", "changed_at"),
    *("deadline_ms", "deadline_at", "parent_id", "tags"),
)
def add(dialect: Dialect) -> ReturningInsert[Any]:
    """Add a run, if none has its key yet, and return it."""
    return insert_or_keep(dialect, runs).returning(*runs.c)


@prepared()
def find(_: Dialect) -> Select[Any]:
    """Return the run `run_id`."""
    return select(*runs.c).where(runs.c.id == bindparam("run_id"))


@prepared()
def claim(dialect: Dialect) -> ReturningUpdate[Any]:
    """Take the run `run_id`, if it is queued and not paused, for `worker` and `lease_s` seconds."""
    return (
        update(runs)
        .where(
            runs.c.id == bindparam("run_id"),
            runs.c.status == RunStatus.QUEUED,
            runs.c.pause_by.is_(None),
        )
        .values(
            status=RunStatus.RUNNING,
            epoch=runs.c.epoch + 1,
            worker_id=bindparam("worker"),
            lease_expires_at=database_now(dialect, plus_s=bindparam("lease_s", type_=Float)),
            changed_at=bindparam("at"),
        )
        .returning(*runs.c)
    )


def _move(to: RunStatus) -> Prepared:
    @prepared()
    def move(_: Dialect) -> ReturningUpdate[Any]:
        return (
            update(runs)
            .where(
                runs.c.id == bindparam("run_id"),
                runs.c.epoch == bindparam("at_epoch"),
                text(one_of("status", sources(to))),
            )
            .values(
                status=to,
                worker_id=None,
                lease_expires_at=None,
                lost_count=runs.c.lost_count * bindparam("lost_factor"),
                changed_at=bindparam("at"),
                ended_at=bindparam("ended_at"),
                failure_code=bindparam("code"),
                failure_message=bindparam("message"),
                failure_redrivable=bindparam("redrivable"),
            )
            .returning(*runs.c)
        )

    return move


moves: Mapping[RunStatus, Prepared] = MappingProxyType(
    {to: _move(to) for to in TRANSITIONS if to is not RunStatus.RUNNING}
)
"""To each state but `running`: move the run `run_id` there, if it is at `at_epoch` and may."""
