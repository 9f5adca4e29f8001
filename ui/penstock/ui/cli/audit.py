"""`penstock audit`: the chains verified, shown and taken out, and keys for signed heads."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import StoreError
from penstock.ui.cli.options import AsJson, Limit
from penstock.ui.cli.output import Exit, Output, table
from penstock.ui.project import Project, open_project, read_settings
from penstock.ui.text import instant
from penstock.ui.views import audit as views

if TYPE_CHECKING:
    from penstock.checkpoints.audit.verification import ChainReport
    from penstock.contracts.audit import ChainedEvent, Head
    from penstock.contracts.ids import RunId
    from penstock.runs.audit import Findings, Progress

NOTED_ROWS = 100_000
"""Without a terminal, a line tells of the progress every so many rows."""

RunOption = Annotated[str | None, typer.Option("--run", metavar="RUN", help="Only of this run.")]
TenantOption = Annotated[str | None, typer.Option(help="Of this tenant; `*` has the policies.")]


class Format(StrEnum):
    """How events are written out, one on a line."""

    JSONL = "jsonl"
    CLOUDEVENTS = "cloudevents"


def verify(
    *,
    heads: Annotated[
        Path | None, typer.Option(help="The file of signed heads to hold the chains against.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="What they were signed with, or its public half.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only the chain of this tenant.")] = None,
    as_json: AsJson = False,
) -> Exit:
    """Look for anything that was changed, put in or taken away after it was written."""
    settings, output = read_settings(), Output(as_json=as_json)
    with open_project(settings) as project, _show_progress(output) as meter:
        found = project.auditor.verify(
            tenant=tenant, heads=heads, key=key or settings.audit_key, progress=meter
        )
        _note(project, found, output)
    text = _findings(found)
    if heads is None and found.is_sound and found.chains:
        text.append("without signed heads, a chain that was rewritten as a whole is not found")
    output.answer(_report(found), *text)
    return Exit.OK if found.is_sound else Exit.REFUSED


def show(
    *,
    run_id: RunOption = None,
    tenant: TenantOption = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show the last events, and how far the chain has come."""
    settings, output = read_settings(), Output(as_json=as_json)
    of = tenant or settings.tenant
    with open_project(settings) as project:
        head, events = project.auditor.last(of, run_id=_run_id(project, run_id), limit=limit)
    output.answer(views.event_list(of, head, events), *_event_text(of, head, events))


def export(
    *,
    form: Annotated[Format, typer.Option("--format", help="How each event is written.")] = (
        Format.JSONL
    ),
    since: Annotated[datetime | None, typer.Option(help="Only events since then, in UTC.")] = None,
    run_id: RunOption = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
) -> None:
    """Write events to standard output, one on a line."""
    settings, output = read_settings(), Output(as_json=as_json)
    of = tenant or settings.tenant
    line = views.cloud_event_line if form is Format.CLOUDEVENTS else views.event_line
    with open_project(settings) as project:
        count = project.auditor.events(
            of,
            run_id=_run_id(project, run_id),
            since=None if since is None else since.replace(tzinfo=UTC),
            receive=lambda event: typer.echo(line(event)),
        )
    output.note(f"{count} events of tenant `{of}`")


def keygen(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the key is to be.")],
    as_json: AsJson = False,
) -> None:
    """Make a key to sign heads with, and its public half beside it in `FILE.pub`."""
    from penstock.runs.signed_heads import make_key

    public = make_key(path)
    Output(as_json=as_json).answer(
        views.AuditKey(key=str(path), public=str(public)),
        f"`{path}` signs heads: keep it with the workers, and nowhere else",
        f"`{public}` verifies them: keep it with whoever audits",
        f"next: export PENSTOCK_AUDIT_KEY={path}",
    )


def _run_id(project: Project, typed: str | None) -> "RunId | None":
    return None if typed is None else asyncio.run(project.run(typed)).id


def _note(project: Project, found: "Findings", output: Output) -> None:
    """Note what was found for the control room, where whoever audits may write to the store."""
    by = f"{project.settings.actor}, by `penstock audit verify`"
    try:
        project.auditor.record(found, at=SystemClock().now(), by=by)
    except StoreError as error:
        output.note(f"what was found could not be noted for the control room: {error}")


def _report(found: "Findings") -> views.VerificationReport:
    return views.VerificationReport(
        sound=found.is_sound,
        chains=[
            views.ChainView(
                tenant=chain.tenant,
                verified=chain.number,
                signed=chain.signed_number,
                cut=chain.cut_number,
                faults=len(chain.faults),
            )
            for chain in found.chains
        ],
        faults=[views.fault_view(fault) for fault in found.faults],
        unguarded=found.unguarded,
        signed_heads=found.signed_count,
    )


def _findings(found: "Findings") -> list[Any]:
    from rich.text import Text

    text: list[Any] = [Text(str(fault), style="red") for fault in found.faults]
    text += [
        Text(f"the trigger `{name}` is missing: rows can be changed by anybody", style="red")
        for name in found.unguarded
    ]
    return [*text, *([_verified(chain) for chain in found.chains] or ["no chain has begun"])]


def _verified(chain: "ChainReport") -> str:
    upto = f"verified up to #{chain.number}"
    if chain.signed_number:
        upto = f"{upto}, by signed heads up to #{chain.signed_number}"
    if chain.cut_number:
        upto = f"{upto}; rows 1 to {chain.cut_number} were taken away by retention"
    return f"tenant `{chain.tenant}`: {upto}"


def _event_text(
    tenant: str, head: "Head | None", events: "Sequence[ChainedEvent]"
) -> Sequence[Any]:
    if head is None:
        return [f"nothing was recorded of tenant `{tenant}`"]
    rows = [
        (
            str(event.number),
            instant(event.at),
            event.action,
            event.actor,
            event.run_id or "",
            ", ".join(
                f"{name} {value}" for name, value in event.details.items() if value is not None
            ),
        )
        for event in events
    ]
    return [
        table("row", "at", "what", "who", "run", "detail", rows=rows, whole=("at",)),
        f"the chain of tenant `{tenant}` has come to row {head.number}",
    ]


@contextmanager
def _show_progress(output: Output) -> "Generator[Progress]":
    """Give what shows how far verifying has come: live on a terminal, else a line now and then."""
    if output.is_watched:
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            yield lambda what, count, total: _progress(status.update, what, count, total, every=500)
        return
    yield lambda what, count, total: _progress(output.note, what, count, total, every=NOTED_ROWS)


def _progress(
    show_line: Callable[[str], None], what: str, count: int, total: int, *, every: int
) -> None:
    if count % every == 0:
        show_line(f"{what}: {count:,}{f' of {total:,}' if total else ''}")
