"""Runs as rows, and what the audit is told of them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from penstock.checkpoints import audit
from penstock.contracts.audit import AuditEvent
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import (
    Failure,
    FailureCode,
    Origin,
    Run,
    RunMode,
    RunStatus,
)


def run_of(row: Mapping[str, Any]) -> Run:
    """Return the run that a row is."""
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


def tell(
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
    """Write down what happened to a run; its input by a code of it."""
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
