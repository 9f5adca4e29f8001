"""A call is shown with the step that made it."""

from dataclasses import replace
from datetime import datetime, timedelta

from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.contracts.policy import Decision, Principal, RecordedDecision, Request, Verdict
from penstock.contracts.step import Step, StepStatus
from penstock.ui.components.run_details import calls_by_task
from support.runs import NOW
from support.stepped import effect, step


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lasting(node: str, begin: float, end: float | None) -> Step:
    found = step(node, StepStatus.SUCCEEDED)
    return replace(found, started_at=at(begin), ended_at=None if end is None else at(end))


def decided(key: str, seconds: float) -> RecordedDecision:
    nothing: frozenset[str] = frozenset()
    who = Principal(
        user="ann", agent="demo", tenant="acme", roles=nothing, groups=nothing, scopes=nothing
    )
    return RecordedDecision(
        tenant="acme",
        run_id=RunId("run"),
        graph="demo",
        effect_key=IdempotencyKey(key),
        policy_digest="p",
        request=Request(
            tool="pay", tool_version="1", tenant="acme", principal=who, args={}, facts={}
        ),
        decision=Decision(verdict=Verdict.ALLOW, reasons=(), message=""),
        at=at(seconds),
    )


def test_call_belongs_to_the_step_that_ran_when_it_was_decided_about() -> None:
    steps = [lasting("plan", 0, 1), lasting("tools", 1, 2), lasting("talk", 2.5, None)]
    late = replace(effect("k"), first_started_at=at(3))
    assert calls_by_task(steps, [late], [decided("k", 1.5)]) == {"tools": [late]}
    assert calls_by_task(steps, [late], []) == {"talk": [late]}


def test_call_belongs_to_the_innermost_of_the_steps_that_ran() -> None:
    steps = [lasting("team", 0, 9), lasting("team|tools", 1, 2), lasting("other", 0, 9)]
    made = replace(effect("k"), first_started_at=at(1.5))
    assert calls_by_task(steps, [made], []) == {"team|tools": [made]}


def test_call_that_was_decided_about_between_steps_belongs_to_none() -> None:
    steps = [lasting("plan", 0, 1)]
    assert calls_by_task(steps, [effect("k")], [decided("k", 7)]) == {}
