"""What a decision asks the store: which policy decides, what was called, spent and read so far."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Executable,
    Select,
    bindparam,
    func,
    literal,
    select,
    text,
)

from penstock.checkpoints.database import database_now
from penstock.checkpoints.schema import effects, one_of, policy_activations, policy_versions
from penstock.checkpoints.statements import prepared
from penstock.contracts.effect import EffectStatus
from penstock.contracts.ids import ThreadId
from penstock.contracts.policy import Taint

MINUTE_S = 60.0
_SPENDING = frozenset(EffectStatus) - {EffectStatus.FAILED, EffectStatus.COMPENSATED}
"""Of an effect that is in one of these states the money may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What the store knows that a decision about a call rests on."""

    policy_digest: str
    """Of the version that decides; empty where none was loaded."""
    calls_last_minute: int
    """Calls of the tool in the tenant that began within the last minute."""
    spent_minor: int
    """What was spent in the tenant in the currency since `day`, in minor units."""
    taints: frozenset[Taint]
    """What the thread, and those it shares a lineage with, have read."""


def look(
    connection: Connection,
    *,
    graph: str,
    tenant: str,
    tool: str,
    lineage: ThreadId,
    currency: str | None,
    day: datetime,
) -> Grounds:
    """Return what a decision about a call of `tool` rests on, in one look."""
    row = _look.first(
        connection,
        {
            "of_graph": graph,
            "of_tenant": tenant,
            "of_tool": tool,
            "of_lineage": lineage,
            "of_currency": currency or "",
            "since_day": day,
        },
    )
    if row is None:
        raise RuntimeError("the database returned no row for a query that always has one")
    flags = ((Taint.UNTRUSTED, row["untrusted"]), (Taint.PRIVATE, row["private"]))
    return Grounds(
        policy_digest=row["digest"] or "",
        calls_last_minute=row["called"],
        spent_minor=int(row["spent"]),
        taints=frozenset(taint for taint, count in flags if count),
    )


@prepared()
def _look(dialect: Dialect) -> Executable:
    newest = (
        select(policy_activations.c.number)
        .where(policy_activations.c.graph == bindparam("of_graph"))
        .order_by(policy_activations.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    digest = select(policy_versions.c.digest).where(
        policy_versions.c.graph == bindparam("of_graph"), policy_versions.c.number == newest
    )
    of_tenant = effects.c.tenant == bindparam("of_tenant")
    called = select(func.count()).where(
        of_tenant,
        effects.c.tool == bindparam("of_tool"),
        effects.c.started_at > database_now(dialect, plus_s=-MINUTE_S),
    )
    spent = select(func.coalesce(func.sum(effects.c.spend_minor), literal(0))).where(
        of_tenant,
        effects.c.spend_currency == bindparam("of_currency"),
        effects.c.spend_minor.is_not(None),
        effects.c.first_started_at >= bindparam("since_day"),
        text(one_of("status", _SPENDING)),
    )

    def tainted(taint: Taint) -> Select[Any]:
        return (
            select(effects.c.key)
            .where(
                effects.c.lineage == bindparam("of_lineage"),
                # As the index has it: with a parameter it would not be used. And with a parameter
                # behind `LIKE`, SQLite compiles the statement anew each time, which costs 0.1 ms.
                text("taints <> ''"),
                text(f"taints LIKE '%{taint}%'"),
            )
            .limit(1)
        )

    return select(
        digest.scalar_subquery().label("digest"),
        called.scalar_subquery().label("called"),
        spent.scalar_subquery().label("spent"),
        tainted(Taint.UNTRUSTED).scalar_subquery().label("untrusted"),
        tainted(Taint.PRIVATE).scalar_subquery().label("private"),
    )
