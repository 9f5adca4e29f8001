"""Decisions in the store, which no call asked for."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import Store, decisions
from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.contracts.policy import Decision, GateRule, RecordedDecision, Request, Verdict
from support.policies import QUIET, person
from support.runs import NOW


def decided(
    run_id: RunId,
    verdict: Verdict,
    *reasons: str,
    call: str = "call-1",
    graph: str = "demo",
    tool: str = "pay",
    args: Mapping[str, object] | None = None,
    shadow: Verdict | None = None,
    shadow_reasons: Sequence[str] = (),
    tenant: str = "acme",
    at: datetime = NOW,
) -> RecordedDecision:
    """Return what was decided about a call of a tool."""
    rules = [GateRule(id=each, group="finance") for each in reasons if verdict is Verdict.ASK]
    return RecordedDecision(
        tenant=tenant,
        run_id=run_id,
        graph=graph,
        effect_key=IdempotencyKey(call),
        policy_digest="d" * 64,
        request=Request(
            tool=tool,
            tool_version="1",
            tenant=tenant,
            principal=person(tenant=tenant, agent=graph),
            args=args or {},
            facts=QUIET,
        ),
        decision=Decision(
            verdict=verdict,
            reasons=reasons,
            message=f"`{tool}` is decided about.",
            rules=tuple(rules),
            shadow=shadow,
            shadow_reasons=tuple(shadow_reasons),
        ),
        at=at,
    )


def record(store: Store, *made: RecordedDecision) -> None:
    """Write decisions down in their order."""

    def change(connection: Connection) -> None:
        for each in made:
            decisions.record(connection, each, actor="test")

    store.write_blocking(change)
