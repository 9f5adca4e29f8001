"""What auditors do: verify the chains, compare the store with them, and take events out.

Verifying a chain slice by slice, so that a page with somebody before it never waits for long.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit, runs
from penstock.checkpoints.audit import marks, queries
from penstock.checkpoints.audit.consistency import compare, compare_page
from penstock.checkpoints.audit.verification import (
    ChainReport,
    Walk,
    advance,
    begin,
    conclude,
    missing_triggers,
    verify,
)
from penstock.contracts.audit import ChainedEvent, ChainFault, Head, Verification, expected_hash
from penstock.contracts.clock import Clock
from penstock.contracts.errors import InvalidAuditKey
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from penstock.policies import People
from penstock.runs.authorization import Right, require
from penstock.runs.signed_heads import HeadVerifier

Progress = Callable[[str, int, int], None]
"""Told what is looked at, how much of it was, and how much there is; 0 where that is not known."""

FAULT_ROWS = 100
"""So many differences between the store and one chain are told."""

SLICE_ROWS = 5_000
"""So many events are looked at in one slice."""

SLICE_PAGES = 4
"""So many times fifty runs are compared in one slice."""

TAIL_BYTES = 64 * 1024
"""The end of the file of signed heads that is read: the last one vouches for all before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found about every chain of a store."""

    chains: Sequence[ChainReport]
    heads: Sequence[ChainFault]
    """What is wrong with the signed heads themselves."""
    differences: Sequence[ChainFault]
    """What is otherwise in the store than its chain says."""
    unguarded: Sequence[str]
    """Triggers that keep the record append-only and are missing, or off."""
    signed_count: int = field(default=0)
    """How many signed heads were held against the chains."""

    @property
    def faults(self) -> Sequence[ChainFault]:
        """All that is wrong with chains, heads and rows."""
        return [
            *(fault for chain in self.chains for fault in chain.faults),
            *self.heads,
            *self.differences,
        ]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and not self.unguarded


class Auditor:
    """Reads the chains of one store; it changes nothing, and notes what it has found."""

    def __init__(self, store: Store) -> None:
        """Read `store`."""
        self._store = store

    def verify(
        self,
        *,
        tenant: str | None = None,
        heads: Path | None = None,
        key: Path | None = None,
        meter: Progress | None = None,
    ) -> Findings:
        """Look at every event of one tenant, or of all, and at what they tell of.

        With the file of signed `heads`, and the `key` they were signed with or its public half,
        also a chain is found that was cut or rewritten as a whole.

        Raises:
            InvalidAuditKey: the key or the heads cannot be read.
        """
        signed, wrong = _signed(heads, key)

        def look(connection: Connection) -> Findings:
            known = {head.tenant: head for head in audit.heads(connection)}
            named = sorted(known.keys() | {head.tenant for head in signed})
            tenants = [name for name in named if tenant in {None, name}]
            chains: list[ChainReport] = []
            differences: list[ChainFault] = []
            for name in tenants:
                of_tenant = [head for head in signed if head.tenant == name]
                total = known[name].number if name in known else 0
                rows = _meter(meter, f"the chain of tenant `{name}`", total)
                chains.append(verify(connection, name, of_tenant, seen=rows))
                runs = _meter(meter, f"the runs of tenant `{name}`", 0)
                differences += islice(compare(connection, name, seen=runs), FAULT_ROWS)
            return Findings(
                chains=chains,
                heads=wrong,
                differences=differences,
                unguarded=missing_triggers(connection),
                signed_count=len(signed),
            )

        return self._store.read_blocking(look)

    def note(self, findings: Findings, *, at: datetime, by: str) -> None:
        """Note how far each chain was verified, for whoever looks next; see `marking`.

        Raises:
            StoreError: the store takes nothing.
        """

        def change(connection: Connection) -> None:
            for chain in findings.chains:
                wrong = [each for each in findings.faults if each.tenant == chain.tenant]
                marks.record_verification(
                    connection,
                    chain.tenant,
                    number=chain.number,
                    at=at,
                    by=by,
                    is_whole=True,
                    fault=str(wrong[0]) if wrong else None,
                )

        self._store.write_blocking(change)

    def events(
        self,
        tenant: str,
        *,
        run_id: RunId | None = None,
        since: datetime | None = None,
        take: Callable[[ChainedEvent], None],
    ) -> int:
        """Hand over a tenant's events in their order; return how many there were."""

        def look(connection: Connection) -> int:
            count = 0
            for event in audit.events(connection, tenant, run_id=run_id, since=since):
                take(event)
                count += 1
            return count

        return self._store.read_blocking(look)

    def last(
        self, tenant: str, *, run_id: RunId | None = None, limit: int
    ) -> tuple[Head | None, Sequence[ChainedEvent]]:
        """Return how far a tenant's chain has come, and its last events, the oldest first."""
        return self._store.read_blocking(
            lambda connection: (
                audit.head(connection, tenant),
                audit.last(connection, tenant, run_id=run_id, limit=limit),
            )
        )


class Stage(StrEnum):
    """What is looked at."""

    CHAIN = "chain"
    """Each event, and whether it follows the one before."""
    ROWS = "rows"
    """Whether runs, effects, gates, votes and decisions are what the chain says of them."""
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found."""

    number: int
    """Every event up to this one is as it was written."""
    at: datetime
    is_whole: bool
    """Whether all was looked at, and not only what came since."""
    signed_number: int
    """Of the last signed head that the chain agrees with; 0 where none was at hand."""
    faults: Sequence[ChainFault]
    unguarded: Sequence[str]
    """Triggers that keep the record append-only and are missing, or off."""
    is_noted: bool
    """Whether it is noted, for whoever looks next."""


class ChainVerification:
    """One look along the chain of a tenant; call `go_on` until it is over."""

    def __init__(
        self,
        store: Store,
        people: People,
        clock: Clock,
        *,
        tenant: str,
        by: str,
        with_: str,
        is_whole: bool,
        signed: Sequence[Head] = (),
    ) -> None:
        """Look at what came since the chain was verified last, or at all of it.

        All of it is looked at in any case where it was not verified yet, something was wrong then,
        or the event up to which it was verified is not the same any more. `signed` are heads of
        the tenant, oldest first; `with_` says with what it was done.

        Raises:
            NotAllowed: this person may not look at the tenant.
        """
        require(people, Right.LOOK, by, tenant)
        self._store, self._clock = store, clock
        self._tenant, self._person, self._signed = tenant, by, signed
        self._by = f"{by}, {with_}"
        self._faults: list[ChainFault] = []
        self._after, self._compared = RunId(""), 0
        self.stage = Stage.CHAIN
        self.verdict: Verdict | None = None
        self.total, self._walk = store.read_blocking(
            lambda connection: self._begin(connection, is_whole=is_whole)
        )

    def is_of(self, tenant: str, by: str) -> bool:
        """Tell whether this is somebody's look at a tenant."""
        return (self._tenant, self._person) == (tenant, by)

    @property
    def is_whole(self) -> bool:
        """Whether all is looked at."""
        return not self._walk.is_anchored

    @property
    def done(self) -> int:
        """How many events, or runs, were looked at."""
        if self.stage is Stage.ROWS:
            return self._compared
        return 0 if self._walk.last is None else self._walk.last.number

    def go_on(self) -> None:
        """Look at a slice more."""
        match self.stage:
            case Stage.CHAIN:
                if self._store.read_blocking(self._look):
                    self._faults += self._walk.found.faults
                    self.stage = Stage.ROWS if self.is_whole else Stage.OVER
            case Stage.ROWS:
                if self._store.read_blocking(self._compare):
                    self.stage = Stage.OVER
            case Stage.OVER:
                return
        if self.stage is Stage.OVER:
            self.verdict = self._conclude()

    def _begin(self, connection: Connection, *, is_whole: bool) -> tuple[int, Walk]:
        head, watch = audit.head(connection, self._tenant), marks.watch(connection, self._tenant)
        total = 0 if head is None else head.number
        noted = None if watch is None else watch.verification
        if is_whole or watch is None or noted is None or noted.fault is not None:
            return total, begin(self._tenant, self._signed)
        if noted.number == 0 or noted.number <= watch.cut_number:
            return total, begin(self._tenant, self._signed)
        there = queries.get(connection, self._tenant, noted.number)
        if there is not None and there.hash == noted.hash == expected_hash(there):
            return total, begin(self._tenant, self._signed, after=there)
        self._faults.append(_not_the_one(self._tenant, noted))
        return total, begin(self._tenant, self._signed)

    def _look(self, connection: Connection) -> bool:
        if not advance(connection, self._walk, limit=SLICE_ROWS):
            return False
        conclude(connection, self._walk, self._signed)
        if self.is_whole:
            counts = runs.counts(connection, RunFilter(tenant=self._tenant))
            self.total = sum(counts.values())
        return True

    def _compare(self, connection: Connection) -> bool:
        for _ in range(SLICE_PAGES):
            compared = compare_page(connection, self._tenant, after=self._after)
            self._faults += compared.faults
            if compared.last is None:
                return True
            self._after, self._compared = compared.last, self._compared + compared.count
        return False

    def _conclude(self) -> Verdict:
        found, at = self._walk.found, self._clock.now()
        missing = self._store.read_blocking(missing_triggers)
        fault = str(self._faults[0]) if self._faults else None
        is_noted = self._store.write_blocking(
            lambda connection: marks.record_verification(
                connection,
                self._tenant,
                number=found.number,
                at=at,
                by=self._by,
                is_whole=self.is_whole,
                fault=fault,
            )
        )
        return Verdict(
            number=found.number,
            at=at,
            is_whole=self.is_whole,
            signed_number=found.signed_number,
            faults=self._faults,
            unguarded=missing,
            is_noted=is_noted,
        )


def last_signed_heads(heads: str | None, key: Path | None, *, tenant: str) -> Sequence[Head]:
    """Return the last signed heads of a tenant, where their file and the key are at hand.

    Raises:
        InvalidAuditKey: the key or the heads cannot be read.
    """
    if heads is None or key is None or "://" in heads:
        return ()
    file = Path(heads)
    try:
        size = file.stat().st_size
        with file.open("rb") as reading:
            reading.seek(max(size - TAIL_BYTES, 0))
            lines = reading.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InvalidAuditKey(f"the heads in `{heads}` cannot be read: {error}") from error
    whole = lines if size <= TAIL_BYTES else lines[1:]
    signed, _ = HeadVerifier(key).read(whole, name=file.name)
    return [each.head for each in signed if each.head.tenant == tenant]


def _signed(heads: Path | None, key: Path | None) -> tuple[Sequence[Head], Sequence[ChainFault]]:
    if heads is None:
        return [], []
    if key is None:
        raise InvalidAuditKey(
            "signed heads say nothing without the key; name its public half with `--key`, or the"
            " key in PENSTOCK_AUDIT_KEY"
        )
    try:
        lines = heads.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidAuditKey(f"the heads in `{heads}` cannot be read: {error}") from error
    signed, wrong = HeadVerifier(key).read(lines, name=heads.name)
    return [each.head for each in signed], wrong


def _meter(meter: Progress | None, what: str, total: int) -> Callable[[int], None] | None:
    if meter is None:
        return None
    return lambda count: meter(what, count, total)


def _not_the_one(tenant: str, noted: Verification) -> ChainFault:
    return ChainFault(
        tenant=tenant,
        number=noted.number,
        at=None,
        what=(
            f"it is not the row that was verified at {noted.at:%Y-%m-%d %H:%M:%S} UTC: it was"
            " changed or taken away since"
        ),
    )
