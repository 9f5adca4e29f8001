"""Effects and their stories as rows."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from penstock.checkpoints import audit
from penstock.checkpoints.ledger import sql
from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import Effect, EffectStatus, ReportKind
from penstock.contracts.tool import EffectClass

RESULT_LIMIT_CHARS = 32_000
"""A longer result is kept apart, once, and referred to."""


def report(
    connection: Connection,
    effect: Effect,
    kind: ReportKind,
    *,
    detail: str | None,
    result: str | None = None,
    at: datetime,
    actor: str,
) -> None:
    """Add a line to an effect's story, and to the audit, which is told of `result` by a code."""
    sql.report.execute(
        connection,
        {
            "effect_key": effect.key,
            "attempt": effect.attempt,
            "kind": kind,
            "at": at,
            "actor": actor,
            "detail": detail,
        },
    )
    texts = {} if detail is None else {"finding": detail}
    if kind is ReportKind.STARTED:
        texts["arguments"] = effect.arguments
    if result is not None:
        texts["result"] = result
    audit.append(
        connection,
        AuditEvent(
            tenant=effect.tenant,
            at=at,
            actor=actor,
            action=f"effect.{kind}",
            run_id=effect.run_id,
            detail={
                "effect": effect.key,
                "tool": effect.tool,
                "version": effect.tool_version,
                "class": effect.effect,
                "attempt": effect.attempt,
                "epoch": effect.epoch,
            },
            texts=texts,
        ),
    )


def keep_result(connection: Connection, result: str) -> tuple[str | None, str | None]:
    """Return a result as its row has it: itself, or the digest under which it is kept."""
    if len(result) <= RESULT_LIMIT_CHARS:
        return result, None
    data = result.encode()
    digest = hashlib.sha256(data).hexdigest()
    sql.keep_result.execute(connection, {"digest": digest, "data": data})
    return None, digest


def effect_of(row: Mapping[str, Any]) -> Effect:
    """Return the effect that a row is."""
    data = row.get("data")
    values: dict[str, Any] = {name: row[name] for name in Effect.__dataclass_fields__}
    values["effect"], values["status"] = EffectClass(row["effect"]), EffectStatus(row["status"])
    if data is not None:
        values["result"] = bytes(data).decode()
    for flag in ("error_retryable", "wants_undoing"):
        values[flag] = bool(row[flag])
    return Effect(**values)
