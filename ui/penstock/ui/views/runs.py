"""Views of runs: what a run is, its steps, and the history of its states."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.contracts.audit import AuditEvent
from penstock.contracts.bulk import BulkPlan, BulkResult, SeenRun
from penstock.contracts.run import Erased, Run
from penstock.contracts.step import Step
from penstock.ui.views.documents import extended
from penstock.ui.views.effects import EffectView
from penstock.ui.views.gates import GateView


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView:
    """Why a run failed."""

    code: str
    message: str
    redrivable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run."""

    id: str
    tenant: str
    graph: str
    graph_version: str
    fingerprint: str
    thread_id: str
    parent_id: str | None
    key: str | None
    tags: Sequence[str]
    input: Any
    mode: str
    status: str
    epoch: int
    worker_id: str | None
    lost_count: int
    cancel_by: str | None
    cancel_at: datetime | None
    cancel_reason: str | None
    pause_by: str | None
    pause_at: datetime | None
    pause_reason: str | None
    deadline_s: float | None
    deadline_at: datetime | None
    created_at: datetime
    changed_at: datetime
    ended_at: datetime | None
    failure: FailureView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One execution of a node."""

    node: str
    kind: str
    status: str
    epoch: int
    task_id: str
    namespace: str
    started_at: datetime
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """A change of a run or of one of its gates, and who made it."""

    at: datetime
    actor: str
    action: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """A run that was started or changed."""

    run: RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """A page of runs."""

    runs: Sequence[RunView]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What came of a run that was waited for."""

    run: RunView
    gates: Sequence[GateView]
    result: Any = None
    result_missing: str | None = None
    """Why the result of a run that succeeded cannot be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """All that is known of a run."""

    run: RunView
    gates: Sequence[GateView]
    steps: Sequence[StepView]
    effects: Sequence[EffectView]
    history: Sequence[EventView]
    result: Any = None
    result_missing: str | None = None
    """Why the result of a run that succeeded cannot be shown."""
    trace: str | None = None
    """Where its trace is shown."""
    session: str | None = None
    """Where the traces of its thread are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureView:
    """What one store did with what it had of a run that was to be forgotten."""

    store: str
    erased: int
    kept: str | None
    """What may still be there, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenRun:
    """A run that was forgotten."""

    id: str
    stores: Sequence[ErasureView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenRuns:
    """The runs that were forgotten."""

    runs: Sequence[ForgottenRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRun:
    """A run as it was when it was selected to be acted on with others."""

    id: str
    graph: str
    principal: str
    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludedRun(SelectedRun):
    """A run that is left out where many are acted on."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPreview:
    """What acting on many runs would do."""

    would: str
    count: int
    runs: Sequence[SelectedRun]
    left_out: Sequence[ExcludedRun]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnchangedRun:
    """A run that was selected, and left as it is."""

    id: str
    outcome: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReport:
    """What acting on many runs has done."""

    did: str
    count: int
    runs: Sequence[RunView]
    left: Sequence[UnchangedRun]
    left_out: Sequence[ExcludedRun]
    has_more: bool


def run_view(run: Run) -> RunView:
    """Return the view of a run."""
    failure = run.failure
    return RunView(
        id=run.id,
        tenant=run.tenant,
        graph=run.graph,
        graph_version=run.graph_version,
        fingerprint=run.fingerprint,
        thread_id=run.thread_id,
        parent_id=run.parent_id,
        key=run.key,
        tags=run.tags,
        input=json.loads(run.input),
        mode=run.mode,
        status=run.status,
        epoch=run.epoch,
        worker_id=run.worker_id,
        lost_count=run.lost_count,
        cancel_by=run.cancel_by,
        cancel_at=run.cancel_at,
        cancel_reason=run.cancel_reason,
        pause_by=run.pause_by,
        pause_at=run.pause_at,
        pause_reason=run.pause_reason,
        deadline_s=run.deadline_s,
        deadline_at=run.deadline_at,
        created_at=run.created_at,
        changed_at=run.changed_at,
        ended_at=run.ended_at,
        failure=None
        if failure is None
        else FailureView(code=failure.code, message=failure.message, redrivable=failure.redrivable),
    )


def step_view(step: Step) -> StepView:
    """Return the view of a step."""
    return StepView(
        node=step.node,
        kind=step.kind,
        status=step.status,
        epoch=step.epoch,
        task_id=step.task_id,
        namespace=step.namespace,
        started_at=step.started_at,
        ended_at=step.ended_at,
        error=step.error,
    )


def event_view(event: AuditEvent) -> EventView:
    """Return the view of an event of a run's history."""
    return EventView(at=event.at, actor=event.actor, action=event.action, detail=event.detail)


def forgotten_run(run: Run, report: Sequence[Erased]) -> ForgottenRun:
    """Return the view of a run that was forgotten, with what each store did."""
    stores = [ErasureView(store=each.store, erased=each.count, kept=each.kept) for each in report]
    return ForgottenRun(id=run.id, stores=stores)


def bulk_preview(plan: BulkPlan) -> BulkPreview:
    """Return the view of a plan that nothing was done about yet."""
    return BulkPreview(
        would=plan.action,
        count=len(plan.targets),
        runs=[_selected_run(seen) for seen in plan.targets],
        left_out=_excluded_runs(plan),
        has_more=plan.has_more,
    )


def bulk_report(
    plan: BulkPlan, changed: Sequence[Run], unchanged: Sequence[BulkResult]
) -> BulkReport:
    """Return the view of a plan that was carried out."""
    return BulkReport(
        did=plan.action,
        count=len(changed),
        runs=[run_view(run) for run in changed],
        left=[
            UnchangedRun(id=each.seen.id, outcome=each.outcome, why=each.why) for each in unchanged
        ],
        left_out=_excluded_runs(plan),
        has_more=plan.has_more,
    )


def _selected_run(seen: SeenRun) -> SelectedRun:
    return SelectedRun(
        id=seen.id,
        graph=seen.graph,
        principal=seen.principal,
        status=seen.status,
        changed_at=seen.changed_at,
    )


def _excluded_runs(plan: BulkPlan) -> Sequence[ExcludedRun]:
    return [extended(_selected_run(seen), ExcludedRun, why=why) for seen, why in plan.left_out]
