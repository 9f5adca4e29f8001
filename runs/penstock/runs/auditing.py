"""What auditors do: verify the chains, compare the store with them, and take events out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit
from penstock.checkpoints.audit import marking
from penstock.checkpoints.audit.comparing import compare
from penstock.checkpoints.audit.verifying import Verified, unguarded, verify
from penstock.contracts.audit import ChainedEvent, Fault, Head
from penstock.contracts.errors import InvalidAuditKey
from penstock.contracts.ids import RunId
from penstock.runs.heads import HeadReader

Meter = Callable[[str, int, int], None]
"""Told what is looked at, how much of it was, and how much there is; 0 where that is not known."""

FAULT_ROWS = 100
"""So many differences between the store and one chain are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found about every chain of a store."""

    chains: Sequence[Verified]
    heads: Sequence[Fault]
    """What is wrong with the signed heads themselves."""
    differences: Sequence[Fault]
    """What is otherwise in the store than its chain says."""
    unguarded: Sequence[str]
    """Triggers that keep the record append-only and are missing, or off."""
    signed_count: int = field(default=0)
    """How many signed heads were held against the chains."""

    @property
    def faults(self) -> Sequence[Fault]:
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


class Auditing:
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
        meter: Meter | None = None,
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
            chains: list[Verified] = []
            differences: list[Fault] = []
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
                unguarded=unguarded(connection),
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
                marking.verified(
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


def _signed(heads: Path | None, key: Path | None) -> tuple[Sequence[Head], Sequence[Fault]]:
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
    signed, wrong = HeadReader(key).read(lines, name=heads.name)
    return [each.head for each in signed], wrong


def _meter(meter: Meter | None, what: str, total: int) -> Callable[[int], None] | None:
    if meter is None:
        return None
    return lambda count: meter(what, count, total)
