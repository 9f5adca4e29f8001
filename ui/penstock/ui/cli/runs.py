"""`penstock runs`, `show` and `export`: which runs there are, and what is known of one."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.contracts.errors import PenstockError, ProjectExists
from penstock.contracts.run import LIVE, Run, RunMode, RunStatus
from penstock.ui.cli.effects import effect_table
from penstock.ui.cli.options import AsJson, Limit, OfTag, RunArgument, RunSelection, Spent
from penstock.ui.cli.output import Output, field_table, table
from penstock.ui.cli.rendering import (
    failure_hints,
    open_gate_hints,
    question_text,
    run_status_text,
    status_text,
)
from penstock.ui.project import Project, load_graphs, open_project, read_settings
from penstock.ui.text import age, instant, short
from penstock.ui.views import runs as views
from penstock.ui.views.documents import json_data, json_text
from penstock.ui.views.effects import effect_view
from penstock.ui.views.gates import gate_view

if TYPE_CHECKING:
    from penstock.contracts.audit import AuditEvent
    from penstock.contracts.effect import Effect
    from penstock.contracts.gate import Gate
    from penstock.contracts.step import Step
    from penstock.runs.settings import Settings

EFFECT_ROWS = 200
"""So many tool calls of a run are shown, the last ones; `penstock effects` has more."""


def runs(
    *,
    status: Annotated[
        list[RunStatus] | None, typer.Option(help="Only in this state; may be repeated.")
    ] = None,
    graph: Annotated[str | None, typer.Option(help="Only of this graph.")] = None,
    thread: Annotated[str | None, typer.Option(help="Only on this thread.")] = None,
    tag: OfTag = None,
    spent: Spent = None,
    redrivable: Annotated[
        bool, typer.Option("--redrivable", help="Only failed ones that a redrive may help.")
    ] = False,
    before: Annotated[
        str | None, typer.Option(metavar="RUN", help="Only older ones: the last of a page.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    selection = RunSelection(
        statuses=status or (),
        graph=graph,
        thread=thread,
        tags=tag or (),
        spent=spent or (),
        redrivable=redrivable,
    )
    settings = read_settings()
    wanted = selection.of(settings.tenant)
    with open_project(settings) as project:
        from penstock.checkpoints.runs import page

        async def find() -> list[Run]:
            below = None if before is None else (await project.run(before)).id
            listed = await project.store.read(
                lambda connection: page(connection, wanted, before=below, limit=limit)
            )
            return [each.run for each in listed]

        found = asyncio.run(find())
    Output(as_json=as_json).answer(
        views.RunList(runs=[views.run_view(run) for run in found]),
        _run_table(found) if found else "no runs",
    )


def show(*, run_id: RunArgument, as_json: AsJson = False) -> None:
    """Show a run: its state, gates, history and result."""
    settings = read_settings()
    with open_project(settings) as project:
        facts = asyncio.run(_find(project, run_id))
    run, result, missing = facts.run, None, None
    if run.status is RunStatus.SUCCEEDED:
        try:
            result = json_data(_result(settings, run))
        except PenstockError as error:
            # The rest is worth showing where the project's graphs are not at hand.
            missing = str(error)
    links = settings.phoenix_links()
    document = views.RunDetails(
        run=views.run_view(run),
        gates=[gate_view(gate) for gate in facts.gates],
        steps=[views.step_view(step) for step in facts.steps],
        effects=[effect_view(effect) for effect in facts.effects],
        history=[views.event_view(event) for event in facts.history],
        result=result,
        result_missing=missing,
        trace=None if links is None else links.trace(run.id),
        session=None if links is None else links.session(run.thread_id),
    )
    Output(as_json=as_json).answer(document, *_details(facts, document))


def export(
    *,
    run_id: RunArgument,
    file: Annotated[
        Path | None, typer.Option("--out", help="A new file; without it, standard output.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write all that is known of a run as one JSON document, for a report of a fault."""
    from penstock.ui.exports import RunExport, document_text, run_document

    settings, output = read_settings(), Output(as_json=as_json)
    # Without its graph nobody knows what is to be hidden.
    catalog = load_graphs(settings)
    with open_project(settings, catalog) as project:
        run = asyncio.run(project.run(run_id))
        graph = catalog.get(run.graph)
        exported = project.store.read_blocking(
            lambda connection: run_document(connection, run, graph)
        )
    text = document_text(exported)
    if file is None:
        typer.echo(text)
        return
    _write(file, text)
    cut: Sequence[str] = exported["cut"]
    output.answer(
        RunExport(run=run.id, file=str(file), bytes=len(text.encode()), cut=cut),
        f"run {run.id} is written to `{file}`, for your eyes and whoever you give it to",
        *(f"cut: {each}" for each in cut),
    )


async def result_of(project: Project, run: Run) -> Any:
    """Return what a run that succeeded left on its thread.

    Raises:
        UnknownGraph: the project has no such graph.
        PenstockError: a later run works on the thread, so the state is not this run's any more.
    """
    config: Any = {"configurable": {"thread_id": run.thread_id}}
    newest = await project.checkpointer.aget_tuple(config)
    if newest is not None and newest.metadata.get("run_id", run.id) != run.id:
        msg = f"thread `{run.thread_id}` has gone on with run `{newest.metadata.get('run_id')}`"
        raise PenstockError(msg)
    return await project.runtime.result(run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the store knows of a run."""

    run: Run
    gates: "Sequence[Gate]"
    steps: "Sequence[Step]"
    effects: "Sequence[Effect]"
    history: "Sequence[AuditEvent]"


async def _find(project: Project, typed: str) -> _Facts:
    run, queries = await project.run(typed), project.queries
    effects = await queries.effects(run_id=run.id, limit=EFFECT_ROWS)
    return _Facts(
        run=run,
        gates=await queries.gates(run.id),
        steps=await queries.steps(run.id),
        effects=effects[::-1],
        history=await queries.history(run.id),
    )


def _result(settings: "Settings", run: Run) -> Any:
    with open_project(settings, load_graphs(settings)) as project:
        return asyncio.run(result_of(project, run))


def _run_table(found: Sequence[Run]) -> Any:
    return table(
        *("run", "status", "graph", "thread", "tags", "epoch", "created", "failure"),
        rows=[
            (
                run.id,
                run_status_text(run),
                run.graph,
                # A run that has its thread for itself shares its id with it.
                "" if run.thread_id == run.id else run.thread_id,
                ", ".join(run.tags),
                str(run.epoch),
                instant(run.created_at),
                "" if run.failure is None else run.failure.code,
            )
            for run in found
        ],
        whole=("created",),
    )


def _details(facts: _Facts, document: views.RunDetails) -> Sequence[Any]:
    run = facts.run
    text: list[Any] = [_header(run, trace=document.trace, session=document.session)]
    if facts.gates:
        rows = [
            (gate.id, gate.status, question_text(gate), gate.answer or "") for gate in facts.gates
        ]
        text += ["", table("gate", "status", "question", "answer", rows=rows)]
    if facts.steps:
        text += ["", _step_table(facts.steps)]
    if facts.effects:
        text += ["", effect_table(facts.effects)]
    history = [
        (instant(event.at), event.action, event.actor, _detail(event.detail))
        for event in facts.history
    ]
    text += ["", table("at", "what", "who", "detail", rows=history)]
    if document.result_missing is not None:
        text += ["", f"the result cannot be shown: {document.result_missing}"]
    elif run.status is RunStatus.SUCCEEDED:
        text += ["", "result:", json_text(document.result)]
    return [*text, *open_gate_hints(facts.gates), *failure_hints(run)]


def _header(run: Run, *, trace: str | None, session: str | None) -> Any:
    failure, is_live = run.failure, run.status in LIVE
    return field_table(
        {
            "run": run.id,
            "status": status_text(run.status),
            "graph": f"{run.graph}, version {run.graph_version}",
            "thread": run.thread_id,
            "child of": run.parent_id,
            "key": run.key,
            "tags": ", ".join(run.tags),
            "tenant": run.tenant,
            "input": short(run.input),
            "mode": run.mode if run.mode is not RunMode.LIVE else None,
            "epoch": str(run.epoch),
            "worker": run.worker_id,
            "cancelled by": _by(run.cancel_by, run.cancel_at, run.cancel_reason),
            "paused by": _by(run.pause_by, run.pause_at, run.pause_reason) if is_live else None,
            "deadline": instant(run.deadline_at) if is_live else None,
            "trace": trace,
            "session": session,
            "created": instant(run.created_at),
            "ended": instant(run.ended_at),
            "failure": None if failure is None else f"{failure.code}: {failure.message}",
        }
    )


def _by(person: str | None, at: datetime | None, reason: str | None) -> str | None:
    if person is None:
        return None
    return f"{person}, {instant(at)}{'' if reason is None else f': {reason}'}"


def _step_table(steps: "Sequence[Step]") -> Any:
    return table(
        *("step", "kind", "status", "epoch", "began", "took"),
        rows=[
            (
                step.node,
                step.kind,
                status_text(step.status),
                str(step.epoch),
                instant(step.started_at),
                ""
                if step.ended_at is None
                else age((step.ended_at - step.started_at).total_seconds()),
            )
            for step in steps
        ],
        whole=("began",),
    )


def _detail(detail: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)


def _write(file: Path, text: str) -> None:
    try:
        # It holds what was said and done: nobody else of this machine reads it.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ProjectExists(
            f"`{file}` cannot be written: {error.strerror}; name a file that is not there"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
