"""Verifying a chain slice by slice, so that a page with somebody before it never waits for long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit, runs
from penstock.checkpoints.audit import marking, searching
from penstock.checkpoints.audit.comparing import compare_some
from penstock.checkpoints.audit.verifying import Walk, begin, conclude, look, unguarded
from penstock.contracts.audit import Fault, Head, rehashed
from penstock.contracts.clock import Clock
from penstock.contracts.errors import InvalidAuditKey
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from penstock.contracts.watch import Verification
from penstock.policies import People
from penstock.runs.heads import HeadReader
from penstock.runs.roles import Right, require

SLICE_ROWS = 5_000
"""So many events are looked at in one slice."""
SLICE_PAGES = 4
"""So many times fifty runs are compared in one slice."""
TAIL_BYTES = 64 * 1024
"""The end of the file of signed heads that is read: the last one vouches for all before it."""


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
    faults: Sequence[Fault]
    unguarded: Sequence[str]
    """Triggers that keep the record append-only and are missing, or off."""
    is_noted: bool
    """Whether it is noted, for whoever looks next."""


class Verifying:
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
        self._faults: list[Fault] = []
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
        head, watch = audit.head(connection, self._tenant), marking.watch(connection, self._tenant)
        total = 0 if head is None else head.number
        noted = None if watch is None else watch.verification
        if is_whole or watch is None or noted is None or noted.fault is not None:
            return total, begin(self._tenant, self._signed)
        if noted.number == 0 or noted.number <= watch.cut_number:
            return total, begin(self._tenant, self._signed)
        there = searching.get(connection, self._tenant, noted.number)
        if there is not None and there.hash == noted.hash == rehashed(there):
            return total, begin(self._tenant, self._signed, after=there)
        self._faults.append(_not_the_one(self._tenant, noted))
        return total, begin(self._tenant, self._signed)

    def _look(self, connection: Connection) -> bool:
        if not look(connection, self._walk, limit=SLICE_ROWS):
            return False
        conclude(connection, self._walk, self._signed)
        if self.is_whole:
            counts = runs.counts(connection, RunFilter(tenant=self._tenant))
            self.total = sum(counts.values())
        return True

    def _compare(self, connection: Connection) -> bool:
        for _ in range(SLICE_PAGES):
            compared = compare_some(connection, self._tenant, after=self._after)
            self._faults += compared.faults
            if compared.last is None:
                return True
            self._after, self._compared = compared.last, self._compared + compared.count
        return False

    def _conclude(self) -> Verdict:
        found, at = self._walk.found, self._clock.now()
        missing = self._store.read_blocking(unguarded)
        fault = str(self._faults[0]) if self._faults else None
        is_noted = self._store.write_blocking(
            lambda connection: marking.verified(
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


def signed_heads(heads: str | None, key: Path | None, *, tenant: str) -> Sequence[Head]:
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
    signed, _ = HeadReader(key).read(whole, name=file.name)
    return [each.head for each in signed if each.head.tenant == tenant]


def _not_the_one(tenant: str, noted: Verification) -> Fault:
    return Fault(
        tenant=tenant,
        number=noted.number,
        at=None,
        what=(
            f"it is not the row that was verified at {noted.at:%Y-%m-%d %H:%M:%S} UTC: it was"
            " changed or taken away since"
        ),
    )
