"""Telling of forks: each of the two runs has an event that names the other."""

from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import audit
from penstock.contracts.audit import AuditEvent
from penstock.contracts.run import Origin, Run


def forked(
    connection: Connection,
    origin: Origin,
    fork: Run,
    *,
    edited: str,
    edits: str,
    at: datetime,
    actor: str,
) -> None:
    """Write down that a run goes on from a checkpoint of another.

    `edited` names the channels whose values were edited; of the `edits` a code is told.
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
