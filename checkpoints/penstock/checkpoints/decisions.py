"""Policy decisions: the facts of the store that one rests on, and the record of each.

A decision is stored with its whole request, so that it can be evaluated again under other policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Insert,
    Row,
    Select,
    bindparam,
    exists,
    func,
    literal,
    select,
    text,
)

from penstock.checkpoints import audit
from penstock.checkpoints.schema import (
    decisions,
    effects,
    one_of,
    policy_activations,
    policy_versions,
)
from penstock.checkpoints.statements import database_now, prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import EffectStatus
from penstock.contracts.ids import IdempotencyKey, RunId, ThreadId
from penstock.contracts.policy import (
    Decision,
    DecisionTally,
    RecordedDecision,
    Request,
    Taint,
    Verdict,
)

_REQUESTS = TypeAdapter(Request)
_DECISIONS = TypeAdapter(Decision)
_ACTIONS = {
    Verdict.ALLOW: "call.allowed",
    Verdict.ASK: "call.asked",
    Verdict.DENY: "call.denied",
}

MINUTE_S = 60.0

_SPENDING = frozenset(EffectStatus) - {EffectStatus.FAILED, EffectStatus.COMPENSATED}
"""The states in which the money of an effect may be spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """The facts in the store that a decision about a call rests on."""

    policy_digest: str
    """The digest of the active version; empty where none was loaded."""
    calls_last_minute: int
    """Calls of the tool in the tenant that began within the last minute."""
    spent_minor: int
    """How much the tenant has spent in the currency since `day`, in minor units."""
    taints: frozenset[Taint]
    """What the thread, and the threads of its lineage, have read."""


def record(connection: Connection, decided: RecordedDecision, *, actor: str) -> None:
    """Record a decision, and append it to the audit chain."""
    verdict = decided.decision.verdict
    request = _REQUESTS.dump_json(decided.request).decode()
    decision = _DECISIONS.dump_json(decided.decision).decode()
    _record.execute(
        connection,
        {
            "tenant": decided.tenant,
            "run_id": decided.run_id,
            "graph": decided.graph,
            "effect_key": decided.effect_key,
            "policy_digest": decided.policy_digest,
            "request": request,
            "verdict": verdict,
            "decision": decision,
            "at": decided.at,
        },
    )
    audit.append(
        connection,
        AuditEvent(
            tenant=decided.tenant,
            at=decided.at,
            actor=actor,
            action=_ACTIONS[verdict],
            run_id=decided.run_id,
            detail={
                "effect": decided.effect_key,
                "tool": decided.request.tool,
                "policy": decided.policy_digest,
                "because": ", ".join(decided.decision.reasons),
            },
            texts={"request": request, "decision": decision},
        ),
    )


def of_run(connection: Connection, run_id: RunId) -> Sequence[RecordedDecision]:
    """Return the decisions about a run's calls, in the order in which they were made."""
    statement = select(decisions).where(decisions.c.run_id == run_id).order_by(decisions.c.id)
    return [_decided(row) for row in connection.execute(statement)]


def last_of_calls(
    connection: Connection, graph: str, *, tenant: str, since: datetime | None, limit: int
) -> Sequence[RecordedDecision]:
    """Return the last decision about each of the newest calls of a graph, in their order.

    A call that waits is decided each time its run goes on; the last decision counts.
    """
    later = decisions.alias("later")
    again = exists().where(
        later.c.effect_key == decisions.c.effect_key, later.c.id > decisions.c.id
    )
    statement = (
        select(decisions)
        .where(*_of_graph(graph, tenant, since), ~again)
        .order_by(decisions.c.at.desc(), decisions.c.id.desc())
        .limit(limit)
    )
    found = sorted(connection.execute(statement), key=lambda row: row.id)
    return [_decided(row) for row in found]


def tallies(
    connection: Connection, graph: str, *, tenant: str, since: datetime
) -> Sequence[DecisionTally]:
    """Return for how many calls of a graph each decision was made since an instant.

    A call that waits is decided each time its run goes on, and counts once for each decision.
    """
    # A decision holds nothing of its call: equal decisions are equal texts, so the database can
    # count them without parsing.
    statement = (
        select(
            decisions.c.decision,
            func.count(decisions.c.effect_key.distinct()).label("call_count"),
        )
        .where(*_of_graph(graph, tenant, since))
        .group_by(decisions.c.decision)
    )
    return [
        DecisionTally(
            decision=_DECISIONS.validate_json(row.decision),
            call_count=row.call_count,
            worded=row.decision,
        )
        for row in connection.execute(statement)
    ]


def of_tallies(
    connection: Connection,
    graph: str,
    tallies: Sequence[DecisionTally],
    *,
    tenant: str,
    since: datetime,
    limit: int,
) -> Sequence[RecordedDecision]:
    """Return the newest of the decisions that some tallies count, the newest first."""
    if not tallies:
        return []
    statement = (
        select(decisions)
        .where(
            *_of_graph(graph, tenant, since),
            decisions.c.decision.in_([tally.worded for tally in tallies]),
        )
        .order_by(decisions.c.at.desc(), decisions.c.id.desc())
        .limit(limit)
    )
    return [_decided(row) for row in connection.execute(statement)]


def call_facts(
    connection: Connection,
    *,
    graph: str,
    tenant: str,
    tool: str,
    lineage: ThreadId,
    currency: str | None,
    day: datetime,
) -> CallFacts:
    """Return the facts for a decision about a call of `tool`, from one query."""
    row = _call_facts.first(
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
    return CallFacts(
        policy_digest=row["digest"] or "",
        calls_last_minute=row["called"],
        spent_minor=int(row["spent"]),
        taints=frozenset(taint for taint, count in flags if count),
    )


def _of_graph(graph: str, tenant: str, since: datetime | None) -> list[ColumnElement[bool]]:
    found = [decisions.c.graph == graph, decisions.c.tenant == tenant]
    return found if since is None else [*found, decisions.c.at >= since]


@prepared(
    *("tenant", "run_id", "graph", "effect_key", "policy_digest", "request", "verdict"),
    *("decision", "at"),
)
def _record(_: Dialect) -> Insert:
    return decisions.insert().inline()


def _decided(row: Row[tuple[object, ...]]) -> RecordedDecision:
    return RecordedDecision(
        tenant=row.tenant,
        run_id=RunId(row.run_id),
        graph=row.graph,
        effect_key=IdempotencyKey(row.effect_key),
        policy_digest=row.policy_digest,
        request=_REQUESTS.validate_json(row.request),
        decision=_DECISIONS.validate_json(row.decision),
        at=row.at,
    )


@prepared()
def _call_facts(dialect: Dialect) -> Executable:
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
                # behind `LIKE`, SQLite compiles the statement each time, which costs 0.1 ms.
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
