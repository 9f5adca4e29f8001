"""`penstock delegate`: seats at gates that are lent for a time."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic_core import to_jsonable_python

from penstock.contracts.gate import Delegation
from penstock.runs.settings import Settings
from penstock.ui import text
from penstock.ui.cli.output import Output, table
from penstock.ui.project import Project, open_project


def delegate(
    settings: Settings,
    output: Output,
    *,
    to: str,
    until: datetime,
    typed: str | None,
    who: str | None,
) -> None:
    """Lend one's own seat to somebody else."""
    ends_at = until.replace(tzinfo=UTC) if until.tzinfo is None else until

    async def change(desk: Project, person: str) -> Delegation:
        return await desk.approvals.delegate(
            tenant=settings.tenant,
            from_person=person,
            to_person=to,
            ends_at=ends_at,
            gate_id=None if typed is None else await desk.gate(typed),
            by=person,
        )

    with open_project(settings) as desk:
        lent = asyncio.run(change(desk, desk.person(who)))
    output.answer(
        {"delegation": to_jsonable_python(lent)},
        f"{lent.to_person} votes for {lent.from_person} until {text.instant(lent.ends_at)}",
        f"next: penstock delegate --revoke {lent.id}",
    )


def revoke(settings: Settings, output: Output, *, number: int, who: str | None) -> None:
    """Take a seat back."""
    with open_project(settings) as desk:
        person = desk.person(who)
        asyncio.run(desk.approvals.revoke(number, by=person))
    output.answer({"revoked": number}, f"delegation {number} is over")


def listed(settings: Settings, output: Output) -> None:
    """List the seats that are lent."""

    async def find(desk: Project) -> Sequence[Delegation]:
        return await desk.approvals.delegations(tenant=settings.tenant)

    with open_project(settings) as desk:
        found = asyncio.run(find(desk))
    rows = [
        (
            str(each.id),
            each.from_person,
            each.to_person,
            text.instant(each.starts_at),
            text.instant(each.ends_at),
            each.gate_id or "all",
        )
        for each in found
    ]
    output.answer(
        {"delegations": to_jsonable_python(found)},
        table("number", "of", "to", "from", "until", "gate", rows=rows) if rows else "none",
    )
