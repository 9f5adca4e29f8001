"""Views of effects: the tool calls of runs, and what became known of each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from penstock.contracts.effect import Effect, Report
from penstock.contracts.gate import Gate
from penstock.ui.views.gates import GateView, gate_view

_JSON_NAMES = {"effect_class": "class"}
"""Fields whose names in JSON are words of Python's own."""


def _json_name(field: str) -> str:
    return _JSON_NAMES.get(field, field)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectErrorView:
    """How a tool call failed."""

    code: str
    message: str | None
    retryable: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectView:
    """A tool call as the ledger has it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"alias_generator": _json_name}

    key: str
    tenant: str
    run_id: str
    thread_id: str
    lineage: str
    tool: str
    tool_version: str
    effect_class: str
    arguments: Any
    business_key: str | None
    status: str
    attempt: int
    epoch: int
    first_started_at: datetime
    started_at: datetime
    settles_at: datetime
    ended_at: datetime | None
    result: Any
    error: EffectErrorView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectReportView:
    """A line of a tool call's story."""

    at: datetime
    kind: str
    attempt: int
    actor: str
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectList:
    """A page of tool calls."""

    effects: Sequence[EffectView]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectDetails:
    """All that is known of a tool call."""

    effect: EffectView
    story: Sequence[EffectReportView]
    gates: Sequence[GateView]


def effect_view(effect: Effect) -> EffectView:
    """Return the view of a tool call."""
    return EffectView(
        key=effect.key,
        tenant=effect.tenant,
        run_id=effect.run_id,
        thread_id=effect.thread_id,
        lineage=effect.lineage,
        tool=effect.tool,
        tool_version=effect.tool_version,
        effect_class=effect.effect,
        arguments=json.loads(effect.arguments),
        business_key=effect.business_key,
        status=effect.status,
        attempt=effect.attempt,
        epoch=effect.epoch,
        first_started_at=effect.first_started_at,
        started_at=effect.started_at,
        settles_at=effect.settles_at,
        ended_at=effect.ended_at,
        result=None if effect.result is None else json.loads(effect.result),
        error=None
        if effect.error_code is None
        else EffectErrorView(
            code=effect.error_code, message=effect.error_message, retryable=effect.error_retryable
        ),
    )


def effect_report_view(report: Report) -> EffectReportView:
    """Return the view of a line of a tool call's story."""
    return EffectReportView(
        at=report.at,
        kind=report.kind,
        attempt=report.attempt,
        actor=report.actor,
        detail=report.detail,
    )


def effect_details(effect: Effect, story: Sequence[Report], gates: Sequence[Gate]) -> EffectDetails:
    """Return all that is known of a tool call."""
    return EffectDetails(
        effect=effect_view(effect),
        story=[effect_report_view(each) for each in story],
        gates=[gate_view(each) for each in gates],
    )
