"""A chain of many events to look through, as a month of runs leaves it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from penstock.checkpoints.schema import audit_events, audit_heads, audit_marks
from penstock.contracts.audit import GENESIS, AuditEvent, ChainedEvent, Head, chain_event
from penstock.contracts.ids import RunId, new_run_id

COUNT = 1_000_000
BATCH = 20_000
SPAN = timedelta(days=30)

_STORY = (
    "run.queued",
    "run.claimed",
    "call.allowed",
    "effect.started",
    "effect.succeeded",
    "call.asked",
    "gate.opened",
    "run.waiting",
    "gate.voted",
    "run.succeeded",
)
"""What happens in a run, event by event."""


def fill(connection: Connection, tenant: str, now: datetime, *, count: int = COUNT) -> None:
    """Write a chain of so many events; one in a hundred thousand is a rare one."""
    names = [column.name for column in audit_events.c]
    # What guards the order asks for the last number of the tenant, event by event.
    guard = connection.execute(
        text("SELECT sql FROM sqlite_master WHERE name = 'tr_audit_events_insert'")
    ).scalar_one()
    connection.execute(text("DROP TRIGGER tr_audit_events_insert"))
    last = Head(tenant=tenant, number=0, hash=GENESIS)
    connection.execute(audit_heads.insert().values(tenant=tenant, number=0, hash=GENESIS))
    connection.execute(audit_marks.insert().values(tenant=tenant))
    for rows in _batches(tenant, now, count):
        connection.execute(
            audit_events.insert(), [{name: getattr(row, name) for name in names} for row in rows]
        )
        last = Head(tenant=tenant, number=rows[-1].number, hash=rows[-1].hash)
    connection.execute(audit_heads.update().values(number=last.number, hash=last.hash))
    connection.execute(text(guard))


def _batches(tenant: str, now: datetime, count: int) -> Iterator[Sequence[ChainedEvent]]:
    last, run_id = Head(tenant=tenant, number=0, hash=GENESIS), RunId("")
    rows: list[ChainedEvent] = []
    for number in range(count):
        at = now - SPAN + SPAN * (number / count)
        if number % len(_STORY) == 0:
            run_id = new_run_id(at)
        row = chain_event(_event(tenant, number, at, run_id), after=last, key=b"")
        last = Head(tenant=tenant, number=row.number, hash=row.hash)
        rows.append(row)
        if len(rows) == BATCH:
            yield rows
            rows = []
    if rows:
        yield rows


def _event(tenant: str, number: int, at: datetime, run_id: RunId) -> AuditEvent:
    action, actor = _STORY[number % len(_STORY)], f"worker-{number % 8}"
    if action == "gate.voted":
        actor = f"user-{number % 50}"
    if number % 100_000 == 50_000:
        action, actor = "budget.raised", "olga"
    detail: dict[str, Any] = {"epoch": 1, "failure": None}
    if action.startswith(("call.", "effect.")):
        tool = "wire" if number % 100_000 == 3 else f"tool-{number % 7}"
        detail = {"effect": f"{number:064x}", "tool": tool, "policy": "d" * 64, "attempt": 1}
    if action.startswith("gate."):
        detail = {"gate": f"{number // 10:032x}", "kind": "approval", "policy": "d" * 64}
    return AuditEvent(
        tenant=tenant, at=at, actor=actor, action=action, run_id=run_id, detail=detail
    )
