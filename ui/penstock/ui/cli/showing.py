"""`penstock show`: one run, with its gates, steps, tool calls, history and result."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.contracts.audit import AuditEvent
from penstock.contracts.effect import Effect
from penstock.contracts.errors import PenstockError
from penstock.contracts.gate import Gate
from penstock.contracts.run import LIVE, Run, RunMode, RunStatus
from penstock.contracts.step import Step
from penstock.runs.settings import Settings
from penstock.ui import text
from penstock.ui.cli import rendering
from penstock.ui.cli.effecting import listed
from penstock.ui.cli.output import Output, dump, table
from penstock.ui.project import Project, load_graphs, open_project

EFFECT_ROWS = 200
"""So many tool calls of a run are shown, the last ones; `penstock effects` has more."""


def show(settings: Settings, output: Output, *, typed: str) -> None:
    """Show all that the store knows of a run."""
    with open_project(settings) as desk:
        run, gates, steps, effects, events = asyncio.run(_look(desk, typed))
    data: dict[str, Any] = {
        "run": rendering.of_run(run),
        "gates": [rendering.of_gate(gate) for gate in gates],
        "steps": [rendering.of_step(step) for step in steps],
        "effects": [rendering.of_effect(effect) for effect in effects],
        "history": [rendering.of_event(event) for event in events],
        "result": None,
        "result_missing": None,
    }
    links = settings.phoenix_links()
    data["trace"] = None if links is None else links.trace(run.id)
    data["session"] = None if links is None else links.session(run.thread_id)
    said: list[Any] = [_header(run, trace=data["trace"], session=data["session"])]
    if gates:
        rows = [
            (gate.id, gate.status, rendering.question_text(gate), gate.answer or "")
            for gate in gates
        ]
        said += ["", table("gate", "status", "question", "answer", rows=rows)]
    if steps:
        said += [
            "",
            table(
                "step",
                "kind",
                "status",
                "epoch",
                "began",
                "took",
                rows=_steps(steps),
                whole=("began",),
            ),
        ]
    if effects:
        said += ["", listed(effects)]
    history = [
        (text.instant(event.at), event.action, event.actor, _detail(event.detail))
        for event in events
    ]
    said += ["", table("at", "what", "who", "detail", rows=history)]
    if run.status is RunStatus.SUCCEEDED:
        try:
            data["result"] = _result(settings, run)
            said += ["", "result:", dump(data["result"])]
        except PenstockError as error:
            # The rest is worth showing where the project's graphs are not at hand.
            data["result_missing"] = str(error)
            said += ["", f"the result cannot be shown: {error}"]
    output.answer(data, *said, *rendering.open_gate_hints(gates), *rendering.failure_hints(run))


async def _look(
    desk: Project, typed: str
) -> tuple[Run, Sequence[Gate], Sequence[Step], Sequence[Effect], Sequence[AuditEvent]]:
    run = await desk.run(typed)
    runtime = desk.runtime
    gates, steps = await runtime.gates(run.id), await runtime.steps(run.id)
    effects = await runtime.effects(run_id=run.id, limit=EFFECT_ROWS)
    return run, gates, steps, effects[::-1], await runtime.history(run.id)


def _result(settings: Settings, run: Run) -> Any:
    catalog = load_graphs(settings)
    with open_project(settings, catalog) as desk:
        return asyncio.run(result(desk, run))


async def result(desk: Project, run: Run) -> Any:
    """Return what a run that succeeded left on its thread.

    Raises:
        UnknownGraph: the project has no such graph.
        PenstockError: a later run works on the thread, so the state is not this run's any more.
    """
    config: Any = {"configurable": {"thread_id": run.thread_id}}
    newest = await desk.checkpointer.aget_tuple(config)
    if newest is not None and newest.metadata.get("run_id", run.id) != run.id:
        msg = f"thread `{run.thread_id}` has gone on with run `{newest.metadata.get('run_id')}`"
        raise PenstockError(msg)
    return await desk.runtime.result(run)


def _header(run: Run, *, trace: str | None, session: str | None) -> Any:
    failure = run.failure
    rows = {
        "run": run.id,
        "status": rendering.status_text(run.status),
        "graph": f"{run.graph}, version {run.graph_version}",
        "thread": run.thread_id,
        "child of": run.parent_id,
        "key": run.key,
        "tags": ", ".join(run.tags),
        "tenant": run.tenant,
        "input": text.short(run.input),
        "mode": run.mode if run.mode is not RunMode.LIVE else None,
        "epoch": str(run.epoch),
        "worker": run.worker_id,
        "cancelled by": _who(run.cancel_by, run.cancel_at, run.cancel_reason),
        "paused by": _who(run.pause_by, run.pause_at, run.pause_reason)
        if run.status in LIVE
        else None,
        "deadline": None
        if run.deadline_at is None or run.status not in LIVE
        else text.instant(run.deadline_at),
        "trace": trace,
        "session": session,
        "created": text.instant(run.created_at),
        "ended": text.instant(run.ended_at),
        "failure": None if failure is None else f"{failure.code}: {failure.message}",
    }
    shown = table("", "", rows=[(name, value) for name, value in rows.items() if value])
    shown.show_header = False
    return shown


def _who(by: str | None, at: datetime | None, reason: str | None) -> str | None:
    if by is None:
        return None
    return f"{by}, {text.instant(at)}{'' if reason is None else f': {reason}'}"


def _steps(steps: Sequence[Step]) -> list[tuple[Any, ...]]:
    return [
        (
            step.node,
            step.kind,
            rendering.status_text(step.status),
            str(step.epoch),
            text.instant(step.started_at),
            ""
            if step.ended_at is None
            else text.age((step.ended_at - step.started_at).total_seconds()),
        )
        for step in steps
    ]


def _detail(detail: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)
