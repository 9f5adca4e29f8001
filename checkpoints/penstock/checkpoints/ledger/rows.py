"""The rows of effects: the statements that every tool call executes, each compiled once."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Float,
    Insert,
    Integer,
    Select,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from penstock.checkpoints import audit
from penstock.checkpoints.schema import effect_reports, effect_results, effects, one_of
from penstock.checkpoints.statements import database_now, insert_or_keep, prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import NOT_DONE, Effect, EffectStatus, ReportKind, sources
from penstock.contracts.tool import EffectClass

_ONE = literal_column("1", Integer)

_CALL_COLUMNS = (
    *("key", "tenant", "run_id", "thread_id", "lineage", "tool", "tool_version", "effect"),
    *("arguments", "digest", "business_key", "epoch", "taints", "spend_minor", "spend_currency"),
)
"""The columns that the call itself fills."""

RESULT_LIMIT_CHARS = 32_000
"""A longer result is stored once in a table of its own, and referred to by its digest."""


@prepared()
def add(dialect: Dialect) -> ReturningInsert[Any]:
    """Begin the first attempt of an effect, if none has its key or its business key."""
    now = database_now(dialect)
    return (
        insert_or_keep(dialect, effects)
        .values(
            **{name: bindparam(name, type_=effects.c[name].type) for name in _CALL_COLUMNS},
            status=EffectStatus.STARTED,
            attempt=1,
            first_started_at=now,
            started_at=now,
            settles_at=_settles(dialect),
            error_retryable=0,
            wants_undoing=0,
        )
        .returning(*effects.c)
    )


@prepared()
def next_attempt(dialect: Dialect) -> ReturningUpdate[Any]:
    """Begin the next attempt of the effect `of_key`, if it is unchanged since it was found.

    Its business key was free while it had failed: another effect may hold it by now.
    """
    other = effects.alias("other")
    is_taken = exists().where(
        other.c.tenant == effects.c.tenant,
        other.c.tool == effects.c.tool,
        other.c.business_key == bindparam("business_key"),
        other.c.status != EffectStatus.FAILED,
        other.c.key != effects.c.key,
    )
    return (
        update(effects)
        .where(
            effects.c.key == bindparam("of_key"),
            effects.c.attempt == bindparam("after_attempt"),
            effects.c.status == bindparam("found"),
            text(one_of("effects.status", sources(EffectStatus.STARTED))),
            ~is_taken,
        )
        .values(
            run_id=bindparam("run_id"),
            epoch=bindparam("epoch"),
            arguments=bindparam("arguments"),
            digest=bindparam("digest"),
            business_key=bindparam("business_key"),
            taints=bindparam("taints"),
            spend_minor=bindparam("spend_minor"),
            spend_currency=bindparam("spend_currency"),
            status=EffectStatus.STARTED,
            attempt=effects.c.attempt + _ONE,
            started_at=database_now(dialect),
            settles_at=_settles(dialect),
            ended_at=None,
            error_code=None,
            error_message=None,
            error_retryable=0,
        )
        .returning(*effects.c)
    )


@prepared()
def settle(dialect: Dialect) -> ReturningUpdate[Any]:
    """Record the outcome of the attempt `of_attempt` of `of_key`, if the effect is still `found`.

    An effect that is to be undone can only become compensated: the answer of a person holds,
    whatever is learnt later.
    """
    return (
        update(effects)
        .where(
            effects.c.key == bindparam("of_key"),
            effects.c.attempt == bindparam("of_attempt"),
            effects.c.status == bindparam("found"),
            effects.c.wants_undoing == bindparam("undoes"),
        )
        .values(
            status=bindparam("to"),
            ended_at=database_now(dialect),
            result=bindparam("result"),
            result_digest=bindparam("result_digest"),
            error_code=bindparam("error_code"),
            error_message=bindparam("error_message"),
            error_retryable=bindparam("error_retryable"),
        )
        .returning(*effects.c)
    )


@prepared()
def find(dialect: Dialect) -> Select[Any]:
    """Return the effect `of_key` with its result, and the database's time."""
    statement = _whole().add_columns(database_now(dialect).label("now"))
    return statement.where(effects.c.key == bindparam("of_key"))


@prepared()
def find_by_business_key(dialect: Dialect) -> Select[Any]:
    """Return the effect that holds a business key."""
    statement = _whole().add_columns(database_now(dialect).label("now"))
    return statement.where(
        effects.c.tenant == bindparam("of_tenant"),
        effects.c.tool == bindparam("of_tool"),
        effects.c.business_key == bindparam("of_business_key"),
        effects.c.status != EffectStatus.FAILED,
    )


@prepared()
def find_in_lineage(_: Dialect) -> Select[Any]:
    """Return an effect of another thread of a lineage with the same tool and arguments."""
    return (
        select(*effects.c)
        .where(
            effects.c.lineage == bindparam("of_lineage"),
            effects.c.tool == bindparam("of_tool"),
            effects.c.digest == bindparam("of_digest"),
            effects.c.key != bindparam("but_key"),
            effects.c.thread_id != bindparam("but_thread"),
            text(one_of("effects.status", set(EffectStatus) - NOT_DONE)),
        )
        .limit(literal_column("1", Integer))
    )


@prepared()
def try_lock_lineage(_: Dialect) -> Select[Any]:
    """Take an advisory lock of PostgreSQL until the transaction ends, unless it is taken."""
    alike = func.hashtextextended(bindparam("alike", type_=Text), bindparam("place", type_=Integer))
    return select(func.pg_try_advisory_xact_lock(alike, type_=Boolean).label("is_locked"))


@prepared("effect_key", "attempt", "kind", "at", "actor", "detail")
def add_report(_: Dialect) -> Insert:
    """Add a report to an effect."""
    return effect_reports.insert().inline()


@prepared("digest", "data")
def add_result(dialect: Dialect) -> Insert:
    """Store a large result, once."""
    return insert_or_keep(dialect, effect_results).inline()


def record_report(
    connection: Connection,
    effect: Effect,
    kind: ReportKind,
    *,
    detail: str | None,
    result: str | None = None,
    at: datetime,
    actor: str,
) -> None:
    """Add a report to an effect, and an event to the audit chain, with `result` as a code."""
    add_report.execute(
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


def store_result(connection: Connection, result: str) -> tuple[str | None, str | None]:
    """Return a result for its row: inline, or the digest under which it was stored."""
    if len(result) <= RESULT_LIMIT_CHARS:
        return result, None
    data = result.encode()
    digest = hashlib.sha256(data).hexdigest()
    add_result.execute(connection, {"digest": digest, "data": data})
    return None, digest


def effect_of(row: Mapping[str, Any]) -> Effect:
    """Return the effect of a row."""
    data = row.get("data")
    values: dict[str, Any] = {name: row[name] for name in Effect.__dataclass_fields__}
    values["effect"], values["status"] = EffectClass(row["effect"]), EffectStatus(row["status"])
    if data is not None:
        values["result"] = bytes(data).decode()
    for flag in ("error_retryable", "wants_undoing"):
        values[flag] = bool(row[flag])
    return Effect(**values)


def _settles(dialect: Dialect) -> ColumnElement[Any]:
    return database_now(dialect, plus_s=bindparam("settles_s", type_=Float))


def _whole() -> Select[Any]:
    return select(*effects.c, effect_results.c.data).join(
        effect_results, effect_results.c.digest == effects.c.result_digest, isouter=True
    )
