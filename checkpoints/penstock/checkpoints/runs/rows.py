"""The rows of runs: the statements that every run executes, and the audit events of a run."""

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Dialect, Float, Select, bindparam, select, text, update
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from penstock.checkpoints import audit
from penstock.checkpoints.schema import one_of, runs
from penstock.checkpoints.statements import Prepared, database_now, insert_or_keep, prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import (
    TRANSITIONS,
    Failure,
    FailureCode,
    Origin,
    Run,
    RunMode,
    RunStatus,
    sources,
)


def run_of(row: Mapping[str, Any]) -> Run:
    """Return the run of a row."""
    values: dict[str, Any] = dict(row)
    code = values.pop("failure_code")
    message, redrivable = values.pop("failure_message"), values.pop("failure_redrivable")
    deadline_ms = values.pop("deadline_ms")
    values["deadline_s"] = None if deadline_ms is None else deadline_ms / 1000
    values["tags"] = tuple(json.loads(values["tags"]))
    values["status"], values["mode"] = RunStatus(values["status"]), RunMode(values["mode"])
    values["failure"] = (
        None
        if code is None
        else Failure(code=FailureCode(code), message=message, redrivable=bool(redrivable))
    )
    return Run(**values)


def record_event(
    connection: Connection,
    run: Run,
    action: str,
    *,
    at: datetime,
    actor: str,
    lost: WorkerId | None = None,
    reason: str | None = None,
    caller: str | None = None,
    origin: Origin | None = None,
) -> None:
    """Append an event of a run to the audit chain; its input only as a code."""
    is_new = action == "run.queued" and run.epoch == 0
    code = None if run.failure is None else str(run.failure.code)
    called = {} if caller is None else {"caller": caller}
    forked = (
        {} if origin is None else {"fork_of": origin.run_id, "checkpoint": origin.checkpoint_id}
    )
    lost_worker = {} if lost is None else {"lost_worker": lost}
    audit.append(
        connection,
        AuditEvent(
            tenant=run.tenant,
            at=at,
            actor=actor,
            action=action,
            run_id=run.id,
            detail={
                "epoch": run.epoch,
                "failure": code,
                "graph": run.graph,
                "graph_version": run.graph_version,
                "fingerprint": run.fingerprint,
                "mode": run.mode,
                **lost_worker,
                **called,
                **forked,
            },
            reason=reason,
            texts={"input": run.input} if is_new else {},
        ),
    )


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
    """Claim the run `run_id` for `worker` and `lease_s` seconds, if it is queued and not paused."""
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
