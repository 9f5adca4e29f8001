"""Steps that nobody has taken, and calls that nobody has made."""

from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.ids import IdempotencyKey, RunId, ThreadId
from penstock.contracts.step import Step, StepKind, StepStatus
from penstock.contracts.tool import EffectClass
from support.runs import NOW


def step(node: str, status: StepStatus) -> Step:
    """Return a step of a node that has come so far."""
    return Step(
        run_id=RunId("run"),
        epoch=1,
        task_id=node,
        namespace="",
        node=node,
        kind=StepKind.OTHER,
        status=status,
        started_at=NOW,
        ended_at=None,
        error=None,
    )


def effect(key: str, status: EffectStatus = EffectStatus.SUCCEEDED) -> Effect:
    """Return a call that has come so far."""
    return Effect(
        key=IdempotencyKey(key),
        tenant="acme",
        run_id=RunId("run"),
        thread_id=ThreadId("thread"),
        lineage=ThreadId("thread"),
        tool="pay",
        tool_version="1",
        effect=EffectClass.UNSAFE,
        arguments="{}",
        digest="d",
        business_key=None,
        status=status,
        attempt=1,
        epoch=1,
        first_started_at=NOW,
        started_at=NOW,
        settles_at=NOW,
        ended_at=NOW,
        result="null",
        error_code=None,
        error_message=None,
        error_retryable=False,
        wants_undoing=False,
    )
