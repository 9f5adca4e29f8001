"""Verification of a chain: every event is as it was written, and none is missing.

Each row carries a hash of itself and of the row before it. A change around the triggers shows at
its row, unless all rows after it were rewritten as well: that shows only against a head that was
signed and stored elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, exists, or_, select, text, union

from penstock.checkpoints.audit import chain
from penstock.checkpoints.audit.queries import events, head, tenants
from penstock.checkpoints.schema import audit_events, audit_heads
from penstock.checkpoints.schema.audit import trigger_statements
from penstock.contracts.audit import (
    CUT,
    GENESIS,
    ChainedEvent,
    ChainFault,
    Head,
    expected_hash,
    mac,
)

FAULT_LIMIT = 100
"""How many faults of one chain are looked for at most."""

OnProgress = Callable[[int], None]
"""Called with the number of each event that was verified."""


@dataclass(slots=True, kw_only=True)
class ChainReport:
    """The result of verifying one tenant's chain."""

    tenant: str
    number: int = 0
    """Every event up to this one is as it was written."""
    cut_number: int = 0
    """Events up to this one were taken away by retention."""
    signed_number: int = 0
    """The number of the last signed head that the chain agrees with."""
    faults: list[ChainFault] = field(default_factory=list[ChainFault])

    def add(self, what: str, *, row: ChainedEvent | None = None, number: int | None = None) -> None:
        """Add a fault, and where it is."""
        at = None if row is None else row.at
        number = number if row is None else row.number
        self.faults.append(ChainFault(tenant=self.tenant, number=number, at=at, what=what))


@dataclass(slots=True, kw_only=True)
class Walk:
    """The progress of a verification; another transaction can continue from there."""

    found: ChainReport
    hashes: dict[int, str]
    """The hashes of the rows that signed heads name, as far as they were seen."""
    first: ChainedEvent | None = None
    last: ChainedEvent | None = None
    cuts: dict[int, str] = field(default_factory=dict[int, str])
    is_anchored: bool = False
    """Whether it began with a row that was verified before, and is unchanged."""


def verify(
    connection: Connection,
    tenant: str,
    signed: Sequence[Head] = (),
    *,
    seen: OnProgress | None = None,
) -> ChainReport:
    """Verify every event of a tenant, then its head, and the `signed` heads, oldest first."""
    walk = begin(tenant, signed)
    advance(connection, walk, seen=seen)
    return conclude(connection, walk, signed)


def begin(tenant: str, signed: Sequence[Head] = (), *, after: ChainedEvent | None = None) -> Walk:
    """Begin to verify a chain, from its first event or after a row that was verified."""
    walk = Walk(found=ChainReport(tenant=tenant), hashes={each.number: "" for each in signed})
    if after is not None:
        walk.first = walk.last = after
        walk.found.number, walk.is_anchored = after.number, True
        if after.number in walk.hashes:
            walk.hashes[after.number] = after.hash
    return walk


def advance(
    connection: Connection, walk: Walk, *, limit: int | None = None, seen: OnProgress | None = None
) -> bool:
    """Verify the next events, `limit` at most; return whether the chain ended."""
    found, after = walk.found, 0 if walk.last is None else walk.last.number
    for count, row in enumerate(events(connection, found.tenant, after=after), 1):
        walk.first = walk.first or row
        for what in _wrong(connection, row, walk.last):
            found.add(what, row=row)
        if not found.faults:
            found.number = row.number
        if row.number in walk.hashes:
            walk.hashes[row.number] = row.hash
        if row.action == CUT:
            walk.cuts[int(row.details.get("up_to") or 0)] = str(row.details.get("hash"))
        walk.last = row
        if seen is not None:
            seen(row.number)
        if len(found.faults) >= FAULT_LIMIT:
            break
        if count == limit:
            return False
    return True


def conclude(connection: Connection, walk: Walk, signed: Sequence[Head] = ()) -> ChainReport:
    """Return the result, in the transaction that has reached the end of the chain."""
    found, first, last = walk.found, walk.first, walk.last
    if not walk.is_anchored:
        _check_beginning(found, first, walk.cuts)
    _check_head(found, head(connection, found.tenant), last)
    _check_signed(found, signed, walk.hashes, first=first, last=last)
    if not found.faults and last is not None:
        found.number = last.number
    return found


def missing_triggers(connection: Connection) -> Sequence[str]:
    """Return the triggers of the append-only tables that are missing or disabled."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    there = set(connection.execute(text(query)).scalars())
    wanted = [
        statement.split()[2]
        for _, statement in trigger_statements(dialect)
        if statement.startswith("CREATE TRIGGER")
    ]
    return [name for name in wanted if name not in there]


def torn_chains(connection: Connection) -> Sequence[str]:
    """Return the tenants whose head and last event disagree, from one query.

    Their chains accept no more events. Other faults of a chain are for `verify` to find.
    """
    of_head = audit_events.c.tenant == audit_heads.c.tenant
    named = exists().where(
        of_head,
        audit_events.c.number == audit_heads.c.number,
        audit_events.c.hash == audit_heads.c.hash,
    )
    beyond = exists().where(of_head, audit_events.c.number > audit_heads.c.number)
    apart = select(audit_heads.c.tenant).where(or_(beyond, and_(audit_heads.c.number > 0, ~named)))
    found = tenants()
    headless = select(found.c.tenant).where(~exists().where(audit_heads.c.tenant == found.c.tenant))
    return connection.execute(union(apart, headless).order_by("tenant")).scalars().all()


def _check_beginning(
    found: ChainReport, first: ChainedEvent | None, cuts: Mapping[int, str]
) -> None:
    if first is None or first.number == 1:
        return
    if cuts.get(first.number - 1) == first.previous:
        found.cut_number = first.number - 1
    else:
        found.number = 0
        found.faults.insert(
            0,
            ChainFault(
                tenant=found.tenant,
                number=first.number,
                at=first.at,
                what=f"rows 1 to {first.number - 1} before it were deleted, not by retention",
            ),
        )


def _wrong(connection: Connection, row: ChainedEvent, last: ChainedEvent | None) -> Iterator[str]:
    """Yield the faults of a row, after the row before it."""
    if last is not None and row.number != last.number + 1:
        yield f"{_deleted(last.number + 1, row.number - 1)} before it"
    elif row.previous != (GENESIS if last is None and row.number == 1 else _hash(last, row)):
        before = "the beginning" if last is None else f"row {last.number}"
        yield f"it does not follow {before} as that is now: one of the two was put in or rewritten"
    if expected_hash(row) != row.hash:
        yield "its text or its place was changed after it was written"
    elif (code := row.codes.get("reason")) is not None:
        key = chain.find_key(connection, row.run_id or "")
        if row.reason is None and key is not None:
            yield "its reason was erased, and its run was not forgotten"
        elif row.reason is not None and (key is None or mac(key, "reason", row.reason) != code):
            yield "its reason was changed after it was written"
    elif row.reason is not None:
        yield "its reason was added after it was written"


def _hash(last: ChainedEvent | None, row: ChainedEvent) -> str:
    # The row before a first row of a higher number is looked for among the cuts.
    return row.previous if last is None else last.hash


def _check_head(found: ChainReport, stored: Head | None, last: ChainedEvent | None) -> None:
    if last is None:
        if stored is not None and stored.number > 0:
            found.add(f"all {stored.number} rows were deleted: its head is at {stored.number}")
        return
    if len(found.faults) >= FAULT_LIMIT:
        return
    if stored is None:
        found.add("the head of the chain was deleted", row=last)
    elif stored.number > last.number:
        found.add(f"{_deleted(last.number + 1, stored.number)} after it", row=last)
    elif (stored.number, stored.hash) != (last.number, last.hash):
        found.add(f"the head of the chain was changed: it is at {stored.number}", row=last)
    else:
        return
    # Only the head vouches for the last row.
    found.number = min(found.number, last.number - 1)


def _check_signed(
    found: ChainReport,
    signed: Sequence[Head],
    hashes: dict[int, str],
    *,
    first: ChainedEvent | None,
    last: ChainedEvent | None,
) -> None:
    for each in signed:
        if first is not None and each.number < first.number:
            continue
        if last is None or each.number > last.number:
            there = "nothing" if last is None else f"row {last.number}"
            found.add(
                f"a signed head is at {each.number}, and the chain ends with {there}: what came"
                " after it was cut off",
                number=each.number,
            )
            found.number = min(found.number, 0 if last is None else last.number)
        elif hashes[each.number] != each.hash:
            found.add(
                "it is not the row that was signed: the chain was rewritten", number=each.number
            )
            found.number = min(found.number, found.signed_number)
        else:
            found.signed_number = each.number


def _deleted(first: int, last: int) -> str:
    return f"row {first} was deleted" if first == last else f"rows {first} to {last} were deleted"
