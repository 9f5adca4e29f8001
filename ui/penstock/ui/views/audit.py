"""Views of the audit: events in their chains, and what verifying the chains has found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from penstock.contracts.audit import ChainedEvent, ChainFault, Head, canonical, format_instant
from penstock.ui.views.documents import document_data


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedEventView:
    """An event: all that its hash is made of, the hash, and its reason."""

    tenant: str
    number: int
    at: str
    actor: str
    action: str
    run_id: str | None
    detail: Any
    reason: str | None
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadView:
    """How far a chain has come."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventList:
    """The last events of a tenant, or of one of its runs."""

    tenant: str
    head: HeadView | None
    events: Sequence[ChainedEventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """How far a chain was verified."""

    tenant: str
    verified: int
    signed: int
    cut: int
    faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """One thing that is wrong with a chain, or with what it tells of."""

    tenant: str
    number: int | None
    at: str | None
    what: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """What was found about the chains of a store."""

    sound: bool
    chains: Sequence[ChainView]
    faults: Sequence[FaultView]
    unguarded: Sequence[str]
    """Triggers that keep the record append-only, and are missing or off."""
    signed_heads: int
    """How many signed heads the chains were held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditKey:
    """The files of a key for signed heads."""

    key: str
    public: str


def chained_event_view(event: ChainedEvent) -> ChainedEventView:
    """Return the view of an event."""
    return ChainedEventView(
        tenant=event.tenant,
        number=event.number,
        at=format_instant(event.at),
        actor=event.actor,
        action=event.action,
        run_id=event.run_id,
        detail=_detail(event),
        reason=event.reason,
        previous=event.previous,
        hash=event.hash,
    )


def event_line(event: ChainedEvent) -> str:
    """Return an event as one line of JSON."""
    return canonical(document_data(chained_event_view(event)))


def cloud_event_line(event: ChainedEvent) -> str:
    """Return an event as one line of JSON, in the form of CloudEvents 1.0."""
    subject = {} if event.run_id is None else {"subject": event.run_id}
    return canonical(
        {
            "specversion": "1.0",
            "id": f"{event.number}",
            "source": f"urn:penstock:audit:{quote(event.tenant, safe='')}",
            "type": f"penstock.{event.action}",
            "time": format_instant(event.at),
            "datacontenttype": "application/json",
            **subject,
            "data": document_data(chained_event_view(event)),
        }
    )


def event_list(tenant: str, head: Head | None, events: Sequence[ChainedEvent]) -> EventList:
    """Return the last events of a chain, and how far it has come."""
    return EventList(
        tenant=tenant,
        head=None if head is None else HeadView(number=head.number, hash=head.hash),
        events=[chained_event_view(event) for event in events],
    )


def fault_view(fault: ChainFault) -> FaultView:
    """Return the view of a fault."""
    return FaultView(
        tenant=fault.tenant,
        number=fault.number,
        at=None if fault.at is None else format_instant(fault.at),
        what=fault.what,
        sentence=str(fault),
    )


def _detail(event: ChainedEvent) -> object:
    """Return what an event tells; as a text where somebody did not even leave JSON of it."""
    try:
        return json.loads(event.detail)
    except ValueError:
        return event.detail
