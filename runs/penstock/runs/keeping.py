"""Retention: runs that have been over for long are forgotten, and old audit events taken away.

Every worker looks after it, in portions that a transaction can hold.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit, forgetting
from penstock.checkpoints.audit.cutting import begins_before, count_before, cut
from penstock.contracts.clock import Clock
from penstock.contracts.errors import IllegalTransition
from penstock.contracts.ids import WorkerId
from penstock.runs.forgetting import Forgets, forget_elsewhere

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Between two looks for what is old enough."""
RUN_LIMIT = 20
"""So many runs are forgotten at a time."""
EVENT_LIMIT = 1000
"""So many events of a chain are taken away at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept."""

    runs: timedelta | None
    """A run that has been over for longer is forgotten; None for never."""
    audit: timedelta
    """An event of the audit that is older is taken away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """What is older than it is to be kept."""

    run_count: int
    events: Mapping[str, int]
    """How many of each tenant's events; of those that have any."""


class Keeper:
    """Looks after the retention of one store, as one worker of perhaps many."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        clock: Clock,
        worker: WorkerId,
        *,
        elsewhere: Sequence[Forgets] = (),
    ) -> None:
        """Keep what `retention` says; what is forgotten here is forgotten `elsewhere` too."""
        self._store = store
        self._retention = retention
        self._clock = clock
        self._worker = worker
        self._elsewhere = elsewhere
        self._stopping = asyncio.Event()

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
        """Take a portion of what is old away; return how many runs and events that were."""
        return await self._forget() + await self._cut()

    async def _forget(self) -> int:
        if self._retention.runs is None:
            return 0
        at = self._clock.now()
        before = at - self._retention.runs
        due = await self._store.read(
            lambda connection: forgetting.due(connection, before=before, limit=RUN_LIMIT)
        )
        count = 0
        for run_id in due:
            # Another worker may be at it, and a run that had failed may have been redriven.
            with contextlib.suppress(IllegalTransition):
                await self._store.write(
                    lambda connection, run_id=run_id: forgetting.forget(
                        connection, run_id, at=at, actor=self._worker
                    )
                )
                await forget_elsewhere(self._elsewhere, run_id)
                count += 1
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


def find_old(connection: Connection, retention: Retention, *, at: datetime) -> Old:
    """Return how much is older than it is to be kept; nothing is taken away."""
    run_count = 0
    if retention.runs is not None:
        run_count = len(forgetting.due(connection, before=at - retention.runs, limit=None))
    before = at - retention.audit
    events = {
        tenant: count_before(connection, tenant, before=before)
        for tenant in _old_chains(connection, before)
    }
    return Old(run_count=run_count, events=events)


def _old_chains(connection: Connection, before: datetime) -> Sequence[str]:
    """Return the tenants whose chains begin before an instant."""
    tenants = [head.tenant for head in audit.heads(connection)]
    return [tenant for tenant in tenants if begins_before(connection, tenant, before)]
