"""Retention: old runs are forgotten, and old audit events, notices and used links are deleted.

Every worker does it, in portions that a transaction can hold. A run is forgotten in the store
first, and then wherever else its data was sent.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection
from typing_extensions import override

from penstock.checkpoints import Store, audit, erasure
from penstock.checkpoints.audit.marks import begins_before, count_before, cut
from penstock.checkpoints.gates import notices
from penstock.contracts.clock import Clock
from penstock.contracts.errors import IllegalTransition
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import Erased
from penstock.runs.services import Service

log = logging.getLogger(__name__)

RUN_LIMIT = 20
"""So many runs are forgotten at a time."""

FULL_SCAN = timedelta(hours=1)
"""Between two scans of all ended runs; the scans between go on where the last one ended. A run with
a call in doubt is skipped, and found by the next full scan after the call is settled."""

EVENT_LIMIT = 1000
"""So many events of a chain are deleted at a time."""

NOTICE_LIMIT = 500
"""So many notices, and so many used links, are deleted at a time."""

NOTICE_SCAN = timedelta(hours=1)
"""Between two scans for old notices and links; no index finds them."""

NOTICE_LIFE = timedelta(days=30)
"""Notices and used links are kept for so long at least: longer than a link is valid."""


class ErasureTarget(Protocol):
    """Another place with data of runs, such as the traces."""

    @property
    def name(self) -> str:
        """Its name in the report."""
        ...

    async def forget(self, run_id: RunId) -> Erased:
        """Erase its data of a run; the run's id is also its trace id. Safe to repeat.

        It may raise anything: the report says so, and the run can be forgotten again.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long runs, audit events and notices are kept."""

    runs: timedelta | None
    """A run that ended longer ago is forgotten; None for never."""
    audit: timedelta
    """An older audit event is deleted."""

    @property
    def notices(self) -> timedelta:
        """A notice whose gate was closed longer ago is deleted, and so is an older used link."""
        return NOTICE_LIFE if self.runs is None else max(self.runs, NOTICE_LIFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """How much is older than its retention."""

    run_count: int
    events: Mapping[str, int]
    """The number of old audit events, by tenant; without tenants that have none."""


class RetentionService(Service):
    """Forgets runs and deletes events, notices and links that are older than their retention."""

    name = "retention"
    period_s = 60.0

    def __init__(
        self,
        store: Store,
        retention: Retention,
        clock: Clock,
        *,
        elsewhere: Sequence[ErasureTarget] = (),
    ) -> None:
        """Apply `retention`; a run that is forgotten is erased `elsewhere` too."""
        self._store = store
        self._retention = retention
        self._clock = clock
        self._elsewhere = elsewhere
        self._purged_at: datetime | None = None
        self._scanned_at: datetime | None = None
        self._forgotten_to: datetime | None = None

    @override
    async def run_once(self, worker: WorkerId) -> bool:
        """Delete a portion of what is old; return whether there was any."""
        return await self.delete_old(worker) > 0

    async def delete_old(self, worker: WorkerId) -> int:
        """Delete a portion of what is old; return how many runs, events, notices and links."""
        return await self._forget(worker) + await self._cut(worker) + await self._purge()

    async def _forget(self, worker: WorkerId) -> int:
        if self._retention.runs is None:
            return 0
        at = self._clock.now()
        before = at - self._retention.runs
        is_full = self._scanned_at is None or at - self._scanned_at >= FULL_SCAN
        since = None if is_full else self._forgotten_to
        due = await self._store.read(
            lambda connection: erasure.due(connection, before=before, since=since, limit=RUN_LIMIT)
        )
        count = 0
        for run_id in due:
            # Another worker may forget it too, and a run that had failed may have been redriven.
            with contextlib.suppress(IllegalTransition):
                await self._store.write(
                    lambda connection, run_id=run_id: erasure.forget(
                        connection, run_id, at=at, actor=worker
                    )
                )
                await forget_elsewhere(self._elsewhere, run_id)
                count += 1
        if len(due) < RUN_LIMIT:
            self._forgotten_to = before
            self._scanned_at = at if is_full else self._scanned_at
        if count:
            await self._store.scrub()
            log.info("%d runs were over for long enough, and are forgotten", count)
        return count

    async def _cut(self, worker: WorkerId) -> int:
        at = self._clock.now()
        before = at - self._retention.audit
        tenants = await self._store.read(lambda connection: _old_chains(connection, before))
        count = 0
        for tenant in tenants:
            count += await self._store.write(
                lambda connection, tenant=tenant: cut(
                    connection,
                    tenant,
                    before=before,
                    limit=EVENT_LIMIT,
                    at=at,
                    actor=worker,
                )
            )
        if count:
            log.info("%d audit events were old enough, and were taken away", count)
        return count

    async def _purge(self) -> int:
        at = self._clock.now()
        if self._purged_at is not None and at - self._purged_at < NOTICE_SCAN:
            return 0
        before = at - self._retention.notices
        count = 0
        for purge in (notices.purge, notices.purge_links):
            count += await self._store.write(
                lambda connection, purge=purge: purge(connection, before=before, limit=NOTICE_LIMIT)
            )
        if count:
            log.info("%d notices and used links were old enough, and were taken away", count)
        else:
            self._purged_at = at
        return count


async def forget(
    store: Store, elsewhere: Sequence[ErasureTarget], run_id: RunId, *, clock: Clock, by: str
) -> Sequence[Erased]:
    """Erase a run from the store, and then elsewhere; return what was erased in each place.

    Raises:
        IllegalTransition: it is not over, or one of its calls is in doubt.
        UnknownRun: there is no such run.
    """
    at = clock.now()
    report = list(
        await store.write(lambda connection: erasure.forget(connection, run_id, at=at, actor=by))
    )
    kept = await store.scrub()
    report.append(Erased(store="files of the store", count=0, kept=kept))
    return [*report, *await forget_elsewhere(elsewhere, run_id)]


async def forget_elsewhere(elsewhere: Sequence[ErasureTarget], run_id: RunId) -> Sequence[Erased]:
    """Erase a run in other places; return what was erased in each."""
    report: list[Erased] = []
    for other in elsewhere:
        try:
            report.append(await other.forget(run_id))
        except Exception as error:
            # The other places are erased all the same, and the report says what failed.
            log.warning("run %s could not be forgotten by %s: %s", run_id, other.name, error)
            kept = f"it could not be erased ({type(error).__name__}: {error}); forget the run again"
            report.append(Erased(store=other.name, count=0, kept=kept))
    return report


def find_expired(connection: Connection, retention: Retention, *, at: datetime) -> Expired:
    """Return how much is older than its retention; nothing is deleted."""
    run_count = 0
    if retention.runs is not None:
        run_count = len(erasure.due(connection, before=at - retention.runs, limit=None))
    before = at - retention.audit
    events = {
        tenant: count_before(connection, tenant, before=before)
        for tenant in _old_chains(connection, before)
    }
    return Expired(run_count=run_count, events=events)


def _old_chains(connection: Connection, before: datetime) -> Sequence[str]:
    """Return the tenants whose chains begin before an instant."""
    tenants = [head.tenant for head in audit.heads(connection)]
    return [tenant for tenant in tenants if begins_before(connection, tenant, before)]
