"""`penstock audit`: the chains verified, shown and taken out."""

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.text import Text

from penstock.checkpoints import Store
from penstock.checkpoints.audit import queries
from penstock.checkpoints.audit.verification import ChainReport
from penstock.contracts.audit import (
    ChainedEvent,
    ChainFault,
    EventFilter,
    canonical,
    format_instant,
)
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import StoreError
from penstock.contracts.ids import RunId
from penstock.runs.audit import Findings, Progress
from penstock.runs.settings import Settings
from penstock.runs.signed_heads import make_key
from penstock.ui import text
from penstock.ui.cli.exits import Exit
from penstock.ui.cli.output import Output, table
from penstock.ui.project import Project, open_project

EXPORT_PAGE_ROWS = 1000
"""So many events are read at once for a file."""
NOTED_ROWS = 100_000
"""Without a terminal, a line tells of the progress every so many rows."""


def verify(
    settings: Settings,
    output: Output,
    *,
    heads: Path | None,
    key: Path | None,
    tenant: str | None,
) -> Exit:
    """Verify the chains of the store, of one tenant or of all."""
    with open_project(settings) as desk, _metering(output) as meter:
        found = desk.auditing.verify(
            tenant=tenant, heads=heads, key=key or settings.audit_key, meter=meter
        )
        _note(desk, found, output)
    data: dict[str, Any] = {
        "sound": found.is_sound,
        "chains": [_of_chain(chain) for chain in found.chains],
        "faults": [_of_fault(fault) for fault in found.faults],
        "unguarded": list(found.unguarded),
        "signed_heads": found.signed_count,
    }
    said: list[Any] = [Text(str(fault), style="red") for fault in found.faults]
    said += [
        Text(f"the trigger `{name}` is missing: rows can be changed by anybody", style="red")
        for name in found.unguarded
    ]
    said += [_verified(chain) for chain in found.chains] or ["no chain has begun"]
    if heads is None and found.is_sound and found.chains:
        said.append("without signed heads, a chain that was rewritten as a whole is not found")
    output.answer(data, *said)
    return Exit.OK if found.is_sound else Exit.REFUSED


def show(
    settings: Settings, output: Output, *, typed: str | None, tenant: str | None, limit: int
) -> None:
    """Show the last events of a tenant, or of one run."""
    of = tenant or settings.tenant
    with open_project(settings) as desk:
        head, events = desk.auditing.last(of, run_id=_run(desk, typed), limit=limit)
    data = {
        "tenant": of,
        "head": None if head is None else {"number": head.number, "hash": head.hash},
        "events": [of_event(event) for event in events],
    }
    if head is None:
        output.answer(data, f"nothing was recorded of tenant `{of}`")
        return
    rows = [
        (
            str(event.number),
            text.instant(event.at),
            event.action,
            event.actor,
            event.run_id or "",
            ", ".join(
                f"{name} {value}" for name, value in event.details.items() if value is not None
            ),
        )
        for event in events
    ]
    drawn = table("row", "at", "what", "who", "run", "detail", rows=rows, whole=("at",))
    output.answer(data, drawn, f"the chain of tenant `{of}` has come to row {head.number}")


def export(
    settings: Settings,
    output: Output,
    *,
    is_cloud: bool,
    since: datetime | None,
    typed: str | None,
    tenant: str | None,
) -> None:
    """Write a tenant's events to standard output, one on a line."""
    shape = of_cloud if is_cloud else of_event
    utc = None if since is None else since.replace(tzinfo=UTC)
    with open_project(settings) as desk:
        count = desk.auditing.events(
            tenant or settings.tenant,
            run_id=_run(desk, typed),
            since=utc,
            take=lambda event: typer.echo(canonical(shape(event))),
        )
    output.note(f"{count} events of tenant `{tenant or settings.tenant}`")


def keygen(output: Output, path: Path) -> None:
    """Make a key for signed heads."""
    public = make_key(path)
    output.answer(
        {"key": str(path), "public": str(public)},
        f"`{path}` signs heads: keep it with the workers, and nowhere else",
        f"`{public}` verifies them: keep it with whoever audits",
        f"next: export PENSTOCK_AUDIT_KEY={path}",
    )


def of_event(event: ChainedEvent) -> dict[str, Any]:
    """Return an event as JSON has it: all that its hash is made of, the hash, and its reason."""
    return {
        "tenant": event.tenant,
        "number": event.number,
        "at": format_instant(event.at),
        "actor": event.actor,
        "action": event.action,
        "run_id": event.run_id,
        "detail": _detail(event),
        "reason": event.reason,
        "previous": event.previous,
        "hash": event.hash,
    }


def lines(store: Store, wanted: EventFilter, *, limit: int) -> str:
    """Return the last events that fit, so many at most, as `export` writes them, in their order."""
    found: list[str] = []
    before: int | None = None
    while len(found) < limit:
        rows = min(EXPORT_PAGE_ROWS, limit - len(found))
        page = store.read_blocking(
            lambda connection, before=before, rows=rows: queries.page(
                connection, wanted, before=before, limit=rows
            )
        )
        found += [canonical(of_event(event)) for event in page.events]
        before = page.looked_to
        if page.is_end:
            break
    return "".join(f"{line}\n" for line in reversed(found))


def _detail(event: ChainedEvent) -> object:
    """Return what an event tells; as a text where somebody did not even leave JSON of it."""
    try:
        return json.loads(event.detail)
    except ValueError:
        return event.detail


def of_cloud(event: ChainedEvent) -> dict[str, Any]:
    """Return an event as CloudEvents 1.0 have it."""
    told = of_event(event)
    subject = {} if event.run_id is None else {"subject": event.run_id}
    return {
        "specversion": "1.0",
        "id": f"{event.number}",
        "source": f"urn:penstock:audit:{quote(event.tenant, safe='')}",
        "type": f"penstock.{event.action}",
        "time": format_instant(event.at),
        "datacontenttype": "application/json",
        **subject,
        "data": told,
    }


def _note(desk: Project, found: Findings, output: Output) -> None:
    """Note what was found for the control room, where whoever audits may write to the store."""
    by = f"{desk.settings.actor}, by `penstock audit verify`"
    try:
        desk.auditing.note(found, at=SystemClock().now(), by=by)
    except StoreError as error:
        output.note(f"what was found could not be noted for the control room: {error}")


def _run(desk: Project, typed: str | None) -> RunId | None:
    return None if typed is None else asyncio.run(desk.run(typed)).id


def _verified(chain: ChainReport) -> str:
    upto = f"verified up to #{chain.number}"
    if chain.signed_number:
        upto = f"{upto}, by signed heads up to #{chain.signed_number}"
    if chain.cut_number:
        upto = f"{upto}; rows 1 to {chain.cut_number} were taken away by retention"
    return f"tenant `{chain.tenant}`: {upto}"


def _of_chain(chain: ChainReport) -> dict[str, Any]:
    return {
        "tenant": chain.tenant,
        "verified": chain.number,
        "signed": chain.signed_number,
        "cut": chain.cut_number,
        "faults": len(chain.faults),
    }


def _of_fault(fault: ChainFault) -> dict[str, Any]:
    return {
        "tenant": fault.tenant,
        "number": fault.number,
        "at": None if fault.at is None else format_instant(fault.at),
        "what": fault.what,
        "sentence": str(fault),
    }


@contextmanager
def _metering(output: Output) -> Generator[Progress]:
    """Give what shows how far it has come: live on a terminal, else a line now and then."""
    if output.is_watched:
        with Console(stderr=True).status("") as status:
            yield lambda what, count, total: _tell(status.update, what, count, total, every=500)
        return
    yield lambda what, count, total: _tell(output.note, what, count, total, every=NOTED_ROWS)


def _tell(tell: Any, what: str, count: int, total: int, *, every: int) -> None:
    if count % every == 0:
        tell(f"{what}: {count:,}{f' of {total:,}' if total else ''}")
