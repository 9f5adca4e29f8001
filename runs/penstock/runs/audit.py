"""Auditing: chains are verified, the store is compared with them, and events are exported.

`Auditor` verifies all chains at once, for the command line. `ChainVerification` verifies one chain
slice by slice, so that nobody waits for long at a page.
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

Progress = Callable[[str, int, int], None]
"""Called with what is verified, how much of it was, and how much there is; 0 if unknown."""

FAULT_ROWS = 100
"""So many differences between the store and one chain are reported."""

SLICE_ROWS = 5_000
"""So many events are verified in one slice."""

SLICE_PAGES = 4
"""So many times fifty runs are compared in one slice."""

TAIL_BYTES = 64 * 1024
"""So much of the end of a file of signed heads is read: the last head vouches for all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The result of verifying the chains of a store."""

    chains: Sequence[ChainReport]
    heads: Sequence[ChainFault]
    """What is wrong with the signed heads themselves."""
    differences: Sequence[ChainFault]
    """Where the store differs from its chains."""
    unguarded: Sequence[str]
    """The triggers that keep the chain append-only and are missing, or off."""
    signed_count: int = field(default=0)
    """How many signed heads were compared with the chains."""

    @property
    def faults(self) -> Sequence[ChainFault]:
        """All faults of chains, heads and rows."""
        return [
            *(fault for chain in self.chains for fault in chain.faults),
            *self.heads,
            *self.differences,
        ]

    @property
    def is_sound(self) -> bool:
        """Whether there is no fault."""
        return not self.faults and not self.unguarded


class Auditor:
    """Verifies the chains of a store and reads their events; it records only its results."""

    def __init__(self, store: Store) -> None:
        """Read `store`."""
        self._store = store

    def verify(
        self,
        *,
        tenant: str | None = None,
        heads: Path | None = None,
        key: Path | None = None,
        progress: Progress | None = None,
    ) -> Findings:
        """Verify every event of one tenant, or of all, and compare the store with the events.

        With the file of signed `heads`, and the `key` they were signed with or its public half, a
        chain that was cut or rewritten as a whole is found too.

        Raises:
            InvalidAuditKey: the key or the heads cannot be read.
        """
        signed, wrong = _signed(heads, key)

        def verify_all(connection: Connection) -> Findings:
            known = {head.tenant: head for head in audit.heads(connection)}
            named = sorted(known.keys() | {head.tenant for head in signed})
            tenants = [name for name in named if tenant in {None, name}]
            chains: list[ChainReport] = []
            differences: list[ChainFault] = []
            for name in tenants:
                of_tenant = [head for head in signed if head.tenant == name]
                total = known[name].number if name in known else 0
                of_chain = _counter(progress, f"the chain of tenant `{name}`", total)
                chains.append(verify(connection, name, of_tenant, seen=of_chain))
                of_runs = _counter(progress, f"the runs of tenant `{name}`", 0)
                differences += islice(compare(connection, name, seen=of_runs), FAULT_ROWS)
            return Findings(
                chains=chains,
                heads=wrong,
                differences=differences,
                unguarded=missing_triggers(connection),
                signed_count=len(signed),
            )

        return self._store.read_blocking(verify_all)

    def record(self, findings: Findings, *, at: datetime, by: str) -> None:
        """Record how far each chain was verified, for the next verification; see `marks`.

        Raises:
            StoreError: the store cannot be written.
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
        receive: Callable[[ChainedEvent], None],
    ) -> int:
        """Call `receive` with each event of a tenant, in order; return how many there were."""

        def look(connection: Connection) -> int:
            count = 0
            for event in audit.events(connection, tenant, run_id=run_id, since=since):
                receive(event)
                count += 1
            return count

        return self._store.read_blocking(look)

    def last(
        self, tenant: str, *, run_id: RunId | None = None, limit: int
    ) -> tuple[Head | None, Sequence[ChainedEvent]]:
        """Return the head of a tenant's chain, and its last events, the oldest first."""
        return self._store.read_blocking(
            lambda connection: (
                audit.head(connection, tenant),
                audit.last(connection, tenant, run_id=run_id, limit=limit),
            )
        )


class Stage(StrEnum):
    """What a verification does next."""

    CHAIN = "chain"
    """Verify each event, and that it follows the one before."""
    ROWS = "rows"
    """Compare runs, effects, gates, votes and decisions with the chain."""
    OVER = "over"
    """Nothing: it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of verifying a chain."""

    number: int
    """Every event up to this one is unchanged."""
    at: datetime
    is_whole: bool
    """Whether the whole chain was verified, and not only what came since the last time."""
    signed_number: int
    """The number of the last signed head that agrees with the chain; 0 without signed heads."""
    faults: Sequence[ChainFault]
    unguarded: Sequence[str]
    """The triggers that keep the chain append-only and are missing, or off."""
    is_recorded: bool
    """Whether the result is recorded in the store, for the next verification."""


class ChainVerification:
    """Verifies the chain of a tenant; call `advance` until its stage is `OVER`."""

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
        """Verify what came since the chain was verified last; with `is_whole`, all of it.

        All of it is verified in any case where the chain was never verified, had a fault, or has
        changed at the event up to which it was verified. `signed` are signed heads of the tenant,
        the oldest first; `with_` names the tool that `by` uses.

        Raises:
            NotAllowed: this person may not view the tenant.
        """
        require(people, Right.VIEW, by, tenant)
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
        """Tell whether this is the verification of a tenant by somebody."""
        return (self._tenant, self._person) == (tenant, by)

    @property
    def is_whole(self) -> bool:
        """Whether the whole chain is verified."""
        return not self._walk.is_anchored

    @property
    def done_count(self) -> int:
        """How many events, or runs, were verified in this stage."""
        if self.stage is Stage.ROWS:
            return self._compared
        return 0 if self._walk.last is None else self._walk.last.number

    def advance(self) -> None:
        """Verify one slice more."""
        match self.stage:
            case Stage.CHAIN:
                if self._store.read_blocking(self._verify_slice):
                    self._faults += self._walk.found.faults
                    self.stage = Stage.ROWS if self.is_whole else Stage.OVER
            case Stage.ROWS:
                if self._store.read_blocking(self._compare_slice):
                    self.stage = Stage.OVER
            case Stage.OVER:
                return
        if self.stage is Stage.OVER:
            self.verdict = self._conclude()

    def _begin(self, connection: Connection, *, is_whole: bool) -> tuple[int, Walk]:
        head, watch = audit.head(connection, self._tenant), marks.watch(connection, self._tenant)
        total = 0 if head is None else head.number
        recorded = None if watch is None else watch.verification
        if is_whole or watch is None or recorded is None or recorded.fault is not None:
            return total, begin(self._tenant, self._signed)
        if recorded.number == 0 or recorded.number <= watch.cut_number:
            return total, begin(self._tenant, self._signed)
        event = queries.get(connection, self._tenant, recorded.number)
        if event is not None and event.hash == recorded.hash == expected_hash(event):
            return total, begin(self._tenant, self._signed, after=event)
        self._faults.append(_changed_since(self._tenant, recorded))
        return total, begin(self._tenant, self._signed)

    def _verify_slice(self, connection: Connection) -> bool:
        if not advance(connection, self._walk, limit=SLICE_ROWS):
            return False
        conclude(connection, self._walk, self._signed)
        if self.is_whole:
            counts = runs.counts(connection, RunFilter(tenant=self._tenant))
            self.total = sum(counts.values())
        return True

    def _compare_slice(self, connection: Connection) -> bool:
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
        is_recorded = self._store.write_blocking(
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
            is_recorded=is_recorded,
        )


def last_signed_heads(heads: str | None, key: Path | None, *, tenant: str) -> Sequence[Head]:
    """Return the last signed heads of a tenant; none where there is no file or no key.

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
    from penstock.runs.signed_heads import HeadVerifier  # noqa: PLC0415  (it needs cryptography)

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
    from penstock.runs.signed_heads import HeadVerifier  # noqa: PLC0415  (likewise)

    signed, wrong = HeadVerifier(key).read(lines, name=heads.name)
    return [each.head for each in signed], wrong


def _counter(progress: Progress | None, what: str, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda count: progress(what, count, total)


def _changed_since(tenant: str, recorded: Verification) -> ChainFault:
    return ChainFault(
        tenant=tenant,
        number=recorded.number,
        at=None,
        what=(
            f"it is not the row that was verified at {recorded.at:%Y-%m-%d %H:%M:%S} UTC: it was"
            " changed or taken away since"
        ),
    )
