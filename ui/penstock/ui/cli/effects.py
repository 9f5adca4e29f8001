"""`penstock effects`: what tools were called, and what is known of each call."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from penstock.contracts.effect import Effect, EffectStatus, Report
from penstock.contracts.gate import Gate, GateStatus
from penstock.ui.cli.options import AsJson, Limit
from penstock.ui.cli.output import Output, field_table, table
from penstock.ui.cli.rendering import KEY_CHARS, open_gate_hints, status_text
from penstock.ui.project import Project, open_project, read_settings
from penstock.ui.text import instant, short
from penstock.ui.views import effects as views


def effects(
    *,
    key: Annotated[
        str | None,
        typer.Argument(metavar="[EFFECT]", help="One of them, to show it whole; its beginning."),
    ] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only of this run.")] = None,
    status: Annotated[
        list[EffectStatus] | None, typer.Option(help="Only in this state; may be repeated.")
    ] = None,
    tool: Annotated[str | None, typer.Option(help="Only of this tool.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List the tool calls of runs, and what is known of each."""
    output = Output(as_json=as_json)
    with open_project(read_settings()) as project:
        if key is not None:
            _show(project, output, key)
            return

        async def find() -> Sequence[Effect]:
            return await project.queries.effects(
                run_id=None if run is None else (await project.run(run)).id,
                statuses=status or (),
                tool=tool,
                tenant=project.settings.tenant,
                limit=limit,
            )

        found = asyncio.run(find())
    output.answer(
        views.EffectList(effects=[views.effect_view(effect) for effect in found]),
        effect_table(found) if found else "no tool was called",
    )


def effect_table(found: Sequence[Effect]) -> Any:
    """Return effects as a table."""
    rows = [
        (
            each.key[:KEY_CHARS],
            each.tool,
            status_text(each.status),
            each.effect,
            str(each.attempt),
            instant(each.started_at),
            short(each.arguments),
            short(each.error_message or each.result or ""),
        )
        for each in found
    ]
    return table(
        *("effect", "tool", "status", "class", "attempt", "began", "arguments", "came to"),
        rows=rows,
    )


def _show(project: Project, output: Output, typed: str) -> None:
    async def find() -> tuple[Effect, Sequence[Report], Sequence[Gate]]:
        effect, story = await project.queries.effect(await project.effect(typed))
        gates = await project.queries.gates(effect.run_id)
        return effect, story, [gate for gate in gates if gate.effect_key == effect.key]

    effect, story, gates = asyncio.run(find())
    rows = [
        (instant(line.at), line.kind, str(line.attempt), line.actor, line.detail or "")
        for line in story
    ]
    output.answer(
        views.effect_details(effect, story, gates),
        _header(effect),
        "",
        table("at", "what", "attempt", "who", "detail", rows=rows),
        *open_gate_hints([gate for gate in gates if gate.status is GateStatus.OPEN]),
    )


def _header(effect: Effect) -> Any:
    error = effect.error_message
    return field_table(
        {
            "effect": effect.key,
            "status": status_text(effect.status),
            "tool": f"{effect.tool}, version {effect.tool_version}, {effect.effect}",
            "run": effect.run_id,
            "thread": effect.thread_id,
            "arguments": effect.arguments,
            "business key": effect.business_key,
            "attempt": str(effect.attempt),
            "began": instant(effect.started_at),
            "may land until": instant(effect.settles_at),
            "ended": instant(effect.ended_at),
            "result": effect.result,
            "error": None if error is None else f"{effect.error_code}: {error}",
        }
    )
