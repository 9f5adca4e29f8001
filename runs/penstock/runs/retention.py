"""Retention: runs that have been over for long are forgotten, and old audit events taken away.

So are notices of gates that were closed long ago, and what is known of links that were used. Every
worker looks after it, in portions that a transaction can hold.

Forgetting runs: in the store first, then wherever else something was told of them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit, erasure
from penstock.checkpoints.audit.marks import begins_before, count_before, cut
from penstock.checkpoints.gates import notices
from penstock.contracts.clock import Clock
from penstock.contracts.errors import IllegalTransition
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import Erased

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Between two looks for what is old enough."""

RUN_LIMIT = 20
"""So many runs are forgotten at a time."""

WHOLE_LOOK = timedelta(hours=1)
"""Between two looks at all runs that are over; those between go on where the last one ended. A run
with a call in doubt is passed over, and found by the next whole look after it is settled."""

EVENT_LIMIT = 1000
"""So many events of a chain are taken away at a time."""

NOTICE_LIMIT = 500
"""So many notices, and so many used links, are taken away at a time."""

NOTICE_LOOK = timedelta(hours=1)
"""Between two looks for such; no index finds them."""

NOTICE_LIFE = timedelta(days=30)
"""Notices and used links are kept for so long at least: longer than a link is good."""


class ErasureTarget(Protocol):
    """Another place that knows of runs, such as the traces, and can forget one."""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        ...

    async def forget(self, run_id: RunId) -> Erased:
        """Erase what it has of a run, whose 128 bits are its trace id; again, do no harm.

        It may raise what it likes: the report says so, and the run can be forgotten again.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept."""

    runs: timedelta | None
    """A run that has been over for longer is forgotten; None for never."""
    audit: timedelta
    """An event of the audit that is older is taken away."""

    @property
    def notices(self) -> timedelta:
        """A notice whose gate has been closed for longer is taken away, and so is a used link."""
        return NOTICE_LIFE if self.runs is None else max(self.runs, NOTICE_LIFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What is older than it is to be kept."""

    run_count: int
    events: Mapping[str, int]
    """How many of each tenant's events; of those that have any."""


class RetentionService:
    """Looks after the retention of one store, as one worker of perhaps many."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        clock: Clock,
        worker: WorkerId,
        *,
        elsewhere: Sequence[ErasureTarget] = (),
    ) -> None:
        """Keep what `retention` says; what is forgotten here is forgotten `elsewhere` too."""
        self._store = store
        self._retention = retention
        self._clock = clock
        self._worker = worker
        self._elsewhere = elsewhere
        self._stopping = asyncio.Event()
        self._purged_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._forgotten_to: datetime | None = None

    async def work(self, *, every_s: float = LOOK_S) -> None:
        """Take away what is old, again and again, until `stop`; no failure of it ends a worker."""
        while not self._stopping.is_set():
            try:
                while await self.keep_once() and not self._stopping.is_set():
                    pass
            except Exception:
                # The top of a task of a worker: runs go on, whatever is wrong here.
                log.exception("what is old could not be taken away; it is tried again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._stopping.wait()

    def stop(self) -> None:
        """Take nothing more away after this portion."""
        self._stopping.set()

    async def keep_once(self) -> int:
        """Take a portion of what is old away; return how many runs, events and notices it was."""
        return await self._forget() + await self._cut() + await self._purge()

    async def _forget(self) -> int:
        if self._retention.runs is None:
            return 0
        at = self._clock.now()
        before = at - self._retention.runs
        is_whole = self._looked_at is None or at - self._looked_at >= WHOLE_LOOK
        since = None if is_whole else self._forgotten_to
        due = await self._store.read(
            lambda connection: erasure.due(connection, before=before, since=since, limit=RUN_LIMIT)
        )
        count = 0
        for run_id in due:
            # Another worker may be at it, and a run that had failed may have been redriven.
            with contextlib.suppress(IllegalTransition):
                await self._store.write(
                    lambda connection, run_id=run_id: erasure.forget(
                        connection, run_id, at=at, actor=self._worker
                    )
                )
                await forget_elsewhere(self._elsewhere, run_id)
                count += 1
        if len(due) < RUN_LIMIT:
            self._forgotten_to = before
            self._looked_at = at if is_whole else self._looked_at
        if count:
            await self._store.scrub()
            log.info("%d runs were over for long enough, and are forgotten", count)
        return count

    async def _cut(self) -> int:
        at = self._clock.now()
        before = at - self._retention.audit
        old = await self._store.read(lambda connection: _old_chains(connection, before))
        count = 0
        for tenant in old:
            count += await self._store.write(
                lambda connection, tenant=tenant: cut(
                    connection,
                    tenant,
                    before=before,
                    limit=EVENT_LIMIT,
                    at=at,
                    actor=self._worker,
                )
            )
        if count:
            log.info("%d audit events were old enough, and were taken away", count)
        return count

    async def _purge(self) -> int:
        at = self._clock.now()
        if self._purged_at is not None and at - self._purged_at < NOTICE_LOOK:
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
    """Erase a run from the store, and then from everywhere else; return what came of each.

    Raises:
        IllegalTransition: it is not over, or people are still to decide what became of a call.
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
    """Have other places forget a run; return what came of each."""
    report: list[Erased] = []
    for other in elsewhere:
        try:
            report.append(await other.forget(run_id))
        except Exception as error:
            # Whatever it is, the rest is erased, and whoever asked is told of this.
            log.warning("run %s could not be forgotten by %s: %s", run_id, other.name, error)
            kept = f"it could not be erased ({type(error).__name__}: {error}); forget the run again"
            report.append(Erased(store=other.name, count=0, kept=kept))
    return report


def find_expired(connection: Connection, retention: Retention, *, at: datetime) -> Expired:
    """Return how much is older than it is to be kept; nothing is taken away."""
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
