"""Audit events: who did or decided what, and when; how events are chained; and what is searched.

Each tenant has one chain. `ChainStatus` is what operators see of it: how far it was verified,
signed and shortened.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import cast

from penstock.contracts.ids import GateId, RunId

GENESIS = "0" * 64
"""What the first event of a chain has in place of the hash of the one before it."""

MAC = "_mac"
"""What the name of a detail ends in that commits to a text without telling it."""

CUT = "audit.cut"
"""The action that tells how far retention has taken events away: those before are not missing."""

FORGOTTEN = "run.forgotten"
"""The action that tells that a run was erased, and with it the key of its codes."""

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

Detail = str | int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One row of the append-only record, written in the transaction of what it tells of."""

    tenant: str
    at: datetime
    actor: str
    """Who did it: a worker's id, a person's, or `system`."""
    action: str
    """What happened, as `noun.verb`: `run.claimed`, `gate.decided`."""
    run_id: RunId | None
    detail: Mapping[str, Detail]
    """What a reader needs to follow it. Ids and versions, never a payload."""
    reason: str | None = None
    """Why, in the words of whoever did it: kept beside the chain, so that it can be erased."""
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """What it is about and does not tell, such as arguments: chained as a code of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far a tenant's chain has come."""

    tenant: str
    number: int
    """Of the last event; 0 before the first."""
    hash: str
    """Of the last event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedEvent:
    """An event as it is stored, in its place in its tenant's chain."""

    tenant: str
    number: int
    """Its place, from 1, without gaps."""
    at: datetime
    actor: str
    action: str
    run_id: RunId | None
    detail: str
    """Canonical JSON, as it is stored."""
    reason: str | None
    """Why, in somebody's words; not chained itself, only a code of it in `detail`."""
    previous: str
    """The hash of the event before it."""
    hash: str

    @property
    def details(self) -> Mapping[str, Detail]:
        """What a reader needs: the detail without codes, and the reason."""
        detail = self._detail()
        shown = {name: value for name, value in detail.items() if not name.endswith(MAC)}
        return shown if self.reason is None else {**shown, "reason": self.reason}

    @property
    def codes(self) -> Mapping[str, str]:
        """The codes of what it does not tell, by name."""
        detail = self._detail()
        return {name.removesuffix(MAC): str(detail[name]) for name in detail if name.endswith(MAC)}

    def _detail(self) -> dict[str, Detail]:
        try:
            read: object = json.loads(self.detail)
        except ValueError:
            # Whoever changed it did not even leave JSON; that it was changed shows by its hash.
            return {}
        return cast("dict[str, Detail]", read) if isinstance(read, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFault:
    """One thing that is wrong with a chain, or with what it tells of."""

    tenant: str
    number: int | None
    """Of the row; None where it is about no row."""
    at: datetime | None
    """When that row says it was written."""
    what: str
    """What is wrong, as the rest of a sentence about the row."""

    def __str__(self) -> str:
        """Say what is wrong and where."""
        of = f"tenant `{self.tenant}`"
        if self.number is None:
            return f"{of}: {self.what}"
        when = "" if self.at is None else f", {format_instant(self.at)}"
        return f"row {self.number} of {of}{when}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How far a chain was verified, and what was found."""

    number: int
    """Every event up to this one was as it was written; 0 where not even the first."""
    hash: str
    """Of that event, as it was then."""
    at: datetime
    by: str
    """Who had it verified, and with what: `ann, in the control room`."""
    whole_at: datetime | None
    """When the whole of it was looked at last: `at`, or before, where only what came since was."""
    fault: str | None = None
    """The first thing that was wrong, as a sentence; None where nothing was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStatus:
    """What is noted about a tenant's chain."""

    tenant: str
    cut_number: int
    """Events up to this one are older than they are kept."""
    shipped_number: int
    """Of the last head that was signed and written out; 0 where none was."""
    shipped_at: datetime | None
    shipped_to: str | None
    """A file, or the host of a URL; None as long as no head was written out."""
    failed_at: datetime | None
    """When a head could not be written out; None where the last one was."""
    failure: str | None
    verification: Verification | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events of a tenant; what is None does not matter."""

    tenant: str
    action: str | None = None
    actor: str | None = None
    run_id: RunId | None = None
    gate_id: GateId | None = None
    tool: str | None = None
    since: datetime | None = None
    """Written then or later, by the clock of whoever wrote it."""
    until: datetime | None = None
    """Written before then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvents:
    """Events that fit, the last one first, and how far back was looked for them."""

    events: Sequence[ChainedEvent]
    looked_to: int
    """Every event down to this number was looked at."""
    is_end: bool
    """Whether there are none before."""


def chain_event(event: AuditEvent, *, after: Head, key: bytes) -> ChainedEvent:
    """Return an event in its place after a head; `key` is its run's, for what it does not tell."""
    hidden = {**event.texts} if event.reason is None else {**event.texts, "reason": event.reason}
    detail = {**event.detail, **{f"{name}{MAC}": mac(key, name, hidden[name]) for name in hidden}}
    number, text = after.number + 1, canonical(detail)
    return ChainedEvent(
        tenant=event.tenant,
        number=number,
        at=event.at,
        actor=event.actor,
        action=event.action,
        run_id=event.run_id,
        detail=text,
        reason=event.reason,
        previous=after.hash,
        hash=digest(
            tenant=event.tenant,
            number=number,
            at=event.at,
            actor=event.actor,
            action=event.action,
            run_id=event.run_id,
            detail=text,
            previous=after.hash,
        ),
    )


def expected_hash(event: ChainedEvent) -> str:
    """Return the hash that a stored event should have, by what it says now."""
    return digest(
        tenant=event.tenant,
        number=event.number,
        at=event.at,
        actor=event.actor,
        action=event.action,
        run_id=event.run_id,
        detail=event.detail,
        previous=event.previous,
    )


def digest(
    *,
    tenant: str,
    number: int,
    at: datetime,
    actor: str,
    action: str,
    run_id: str | None,
    detail: str,
    previous: str,
) -> str:
    """Return the SHA-256 of an event as canonical JSON, in 64 hex digits.

    `detail` is JSON already and goes in as it is stored, so that no change to it is overlooked.
    """
    quote = encode_basestring
    text = (
        f'{{"action":{quote(action)},"actor":{quote(actor)},"at":"{format_instant(at)}",'
        f'"detail":{detail},"number":{number},"previous":{quote(previous)},'
        f'"run_id":{"null" if run_id is None else quote(run_id)},"tenant":{quote(tenant)}}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def mac(key: bytes, name: str, text: str) -> str:
    """Return what stands for a text that nobody can guess without the key of its run."""
    return hmac.digest(key, f"{name}\0{text}".encode(), "sha256").hex()


def canonical(value: Mapping[str, object]) -> str:
    """Return plain data as canonical JSON: keys in order, no blanks, nothing escaped needlessly."""
    return _CANONICAL.encode(value)


def format_instant(at: datetime) -> str:
    """Return an instant as the chain has it: in UTC, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
