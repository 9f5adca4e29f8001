"""`penstock effects`: what tools were called, and what is known of each call."""

import asyncio
from collections.abc import Sequence
from typing import Any

from penstock.contracts.effect import Effect, EffectStatus, Report
from penstock.contracts.gate import Gate, GateStatus
from penstock.runs.settings import Settings
from penstock.ui.cli import gate_words, texts, words
from penstock.ui.cli.desk import Desk, open_desk
from penstock.ui.cli.output import Output, table


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

    async def find(desk: Desk) -> Sequence[Effect]:
        return await desk.runtime.effects(
            run_id=None if run is None else (await desk.run(run)).id,
            statuses=statuses,
            tool=tool,
            tenant=settings.tenant,
            limit=limit,
        )

    with open_desk(settings) as desk:
        found = asyncio.run(find(desk))
    drawn = listed(found) if found else "no tool was called"
    output.answer({"effects": [words.of_effect(effect) for effect in found]}, drawn)


def effect(settings: Settings, output: Output, *, typed: str) -> None:
    """Show what is known of one tool call, and how that came about."""

    async def find(desk: Desk) -> tuple[Effect, Sequence[Report], Sequence[Gate]]:
        found, story = await desk.runtime.effect(await desk.effect(typed))
        gates = await desk.runtime.gates(found.run_id)
        return found, story, [gate for gate in gates if gate.effect_key == found.key]

    with open_desk(settings) as desk:
        found, story, gates = asyncio.run(find(desk))
    lines = [
        (texts.instant(line.at), line.kind, str(line.attempt), line.actor, line.detail or "")
        for line in story
    ]
    output.answer(
        {
            "effect": words.of_effect(found),
            "story": [words.of_report(line) for line in story],
            "gates": [words.of_gate(gate) for gate in gates],
        },
        _header(found),
        "",
        table("at", "what", "attempt", "who", "detail", rows=lines),
        *(gate_words.about_gates([gate for gate in gates if gate.status is GateStatus.OPEN])),
    )


def listed(found: Sequence[Effect]) -> Any:
    """Return effects as a table."""
    rows = [
        (
            each.key[: words.KEY_CHARS],
            each.tool,
            words.status_text(each.status),
            each.effect,
            str(each.attempt),
            texts.instant(each.started_at),
            texts.short(each.arguments),
            texts.short(each.error_message or each.result or ""),
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
        "status": words.status_text(found.status),
        "tool": f"{found.tool}, version {found.tool_version}, {found.effect}",
        "run": found.run_id,
        "thread": found.thread_id,
        "arguments": found.arguments,
        "business key": found.business_key,
        "attempt": str(found.attempt),
        "began": texts.instant(found.started_at),
        "may land until": texts.instant(found.settles_at),
        "ended": texts.instant(found.ended_at),
        "result": found.result,
        "error": None if error is None else f"{found.error_code}: {error}",
    }
    shown = table("", "", rows=[(name, value) for name, value in rows.items() if value])
    shown.show_header = False
    return shown
