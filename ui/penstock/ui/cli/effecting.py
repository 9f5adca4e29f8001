"""`penstock effects`: what tools were called, and what is known of each call."""

import asyncio
from collections.abc import Sequence
from typing import Any

from penstock.contracts.effect import Effect, EffectStatus, Report
from penstock.contracts.gate import Gate, GateStatus
from penstock.runs.settings import Settings
from penstock.ui import text
from penstock.ui.cli import rendering
from penstock.ui.cli.output import Output, table
from penstock.ui.project import Project, open_project


def effects(
    settings: Settings,
    output: Output,
    *,
    run: str | None,
    statuses: Sequence[EffectStatus],
    tool: str | None,
    limit: int,
) -> None:
    """List the tenant's tool calls, those that began last first."""

    async def find(desk: Project) -> Sequence[Effect]:
        return await desk.runtime.effects(
            run_id=None if run is None else (await desk.run(run)).id,
            statuses=statuses,
            tool=tool,
            tenant=settings.tenant,
            limit=limit,
        )

    with open_project(settings) as desk:
        found = asyncio.run(find(desk))
    drawn = listed(found) if found else "no tool was called"
    output.answer({"effects": [rendering.of_effect(effect) for effect in found]}, drawn)


def effect(settings: Settings, output: Output, *, typed: str) -> None:
    """Show what is known of one tool call, and how that came about."""

    async def find(desk: Project) -> tuple[Effect, Sequence[Report], Sequence[Gate]]:
        found, story = await desk.runtime.effect(await desk.effect(typed))
        gates = await desk.runtime.gates(found.run_id)
        return found, story, [gate for gate in gates if gate.effect_key == found.key]

    with open_project(settings) as desk:
        found, story, gates = asyncio.run(find(desk))
    lines = [
        (text.instant(line.at), line.kind, str(line.attempt), line.actor, line.detail or "")
        for line in story
    ]
    output.answer(
        {
            "effect": rendering.of_effect(found),
            "story": [rendering.of_report(line) for line in story],
            "gates": [rendering.of_gate(gate) for gate in gates],
        },
        _header(found),
        "",
        table("at", "what", "attempt", "who", "detail", rows=lines),
        *(rendering.open_gate_hints([gate for gate in gates if gate.status is GateStatus.OPEN])),
    )


def listed(found: Sequence[Effect]) -> Any:
    """Return effects as a table."""
    rows = [
        (
            each.key[: rendering.KEY_CHARS],
            each.tool,
            rendering.status_text(each.status),
            each.effect,
            str(each.attempt),
            text.instant(each.started_at),
            text.short(each.arguments),
            text.short(each.error_message or each.result or ""),
        )
        for each in found
    ]
    return table(
        *("effect", "tool", "status", "class", "attempt", "began", "arguments", "came to"),
        rows=rows,
    )


def _header(found: Effect) -> Any:
    error = found.error_message
    rows = {
        "effect": found.key,
        "status": rendering.status_text(found.status),
        "tool": f"{found.tool}, version {found.tool_version}, {found.effect}",
        "run": found.run_id,
        "thread": found.thread_id,
        "arguments": found.arguments,
        "business key": found.business_key,
        "attempt": str(found.attempt),
        "began": text.instant(found.started_at),
        "may land until": text.instant(found.settles_at),
        "ended": text.instant(found.ended_at),
        "result": found.result,
        "error": None if error is None else f"{found.error_code}: {error}",
    }
    shown = table("", "", rows=[(name, value) for name, value in rows.items() if value])
    shown.show_header = False
    return shown
