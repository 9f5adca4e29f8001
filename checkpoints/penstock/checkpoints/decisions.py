"""What policies have decided, with all that it rested on, so that it can be decided anew."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Dialect, Insert, Row, exists, func, select

from penstock.checkpoints import audit
from penstock.checkpoints.schema import decisions
from penstock.checkpoints.statements import prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.contracts.policy import Decision, DecisionTally, RecordedDecision, Request, Verdict

_REQUESTS = TypeAdapter(Request)
_DECISIONS = TypeAdapter(Decision)
_TOLD = {
    Verdict.ALLOW: "call.allowed",
    Verdict.ASK: "call.asked",
    Verdict.DENY: "call.denied",
}


def record(connection: Connection, decided: RecordedDecision, *, actor: str) -> None:
    """Write a decision down, and tell the audit of it."""
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
            action=_TOLD[verdict],
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
    """Return what was decided about the calls of a run, in the order in which it was."""
    statement = select(decisions).where(decisions.c.run_id == run_id).order_by(decisions.c.id)
    return [_decided(row) for row in connection.execute(statement)]


def last_of_calls(
    connection: Connection, graph: str, *, tenant: str, since: datetime | None, limit: int
) -> Sequence[RecordedDecision]:
    """Return what was decided last about the newest calls of a graph, in the order of the calls.

    A call that waits is decided about each time its run goes on; the last time is what counts.
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


def tallied(
    connection: Connection, graph: str, *, tenant: str, since: datetime
) -> Sequence[DecisionTally]:
    """Return of how many calls of a graph each decision was made since then.

    A call that waits is decided about again and again, and counts once for what was said of it.
    """
    # A decision has nothing of the one call in it: what is the same is said in the same words, so
    # that the database can count without reading them.
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


def worded(
    connection: Connection,
    graph: str,
    tallies: Sequence[DecisionTally],
    *,
    tenant: str,
    since: datetime,
    limit: int,
) -> Sequence[RecordedDecision]:
    """Return the newest decisions that some tallies have counted, the newest first."""
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
