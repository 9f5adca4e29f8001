"""Actions on many runs: planned first, and then carried out on exactly the runs that were seen."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from sqlalchemy import Connection

from penstock.checkpoints import Store, ledger, runs
from penstock.contracts.bulk import (
    BulkAction,
    BulkOutcome,
    BulkPlan,
    BulkResult,
    Exclusion,
    SeenRun,
)
from penstock.contracts.errors import IllegalTransition, NotAllowed, RunStale
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.policies import OpenDirectory, People
from penstock.runs.authorization import may_steer
from penstock.runs.runtime import Runtime

MAX_RUN_COUNT = 10_000
"""A plan has at most so many runs, the newest."""

BATCH_SIZE = 50
"""So many runs share a commit."""


class Bulk:
    """Cancels and redrives many runs."""

    def __init__(self, store: Store, runtime: Runtime, *, people: People | None = None) -> None:
        """Act through `runtime`, on the runs of its store; `people` says who may."""
        self._store = store
        self._runtime = runtime
        self._people: People = people or OpenDirectory()

    async def plan(
        self,
        deed: BulkAction,
        wanted: RunFilter,
        *,
        by: str,
        ids: Collection[RunId] | None = None,
        before: RunId | None = None,
    ) -> BulkPlan:
        """Return what a deed would do to the runs that match: to those in `ids`, if given.

        Runs in a state that excludes the deed are counted; runs in `ids` are listed with the
        reason. Nothing is changed.
        """
        return await self._store.read(
            lambda connection: self._plan(connection, deed, wanted, by=by, ids=ids, before=before)
        )

    def _plan(
        self,
        connection: Connection,
        deed: BulkAction,
        wanted: RunFilter,
        *,
        by: str,
        ids: Collection[RunId] | None,
        before: RunId | None,
    ) -> BulkPlan:
        asked = frozenset(wanted.statuses or RunStatus)
        candidates = asked if ids is not None else asked & deed.sources
        found: Sequence[SeenRun] = ()
        if candidates:
            narrowed = replace(wanted, statuses=tuple(candidates))
            found = runs.list_seen(
                connection, narrowed, ids=ids, before=before, limit=MAX_RUN_COUNT + 1
            )
        over: Mapping[RunStatus, int] = {}
        if asked - candidates:
            rest = replace(wanted, statuses=tuple(asked - candidates))
            over = runs.counts(connection, rest, before=before)
        doubted = ledger.doubted_runs(connection, tenant=wanted.tenant)
        judged = [
            (seen, self._why_not(deed, seen, by, wanted.tenant, doubted))
            for seen in found[:MAX_RUN_COUNT]
        ]
        return BulkPlan(
            action=deed,
            targets=[seen for seen, why in judged if why is None],
            left_out=[(seen, why) for seen, why in judged if why is not None],
            over={status: number for status, number in over.items() if number},
            has_more=len(found) > MAX_RUN_COUNT,
        )

    async def carry_out(
        self, deed: BulkAction, targets: Sequence[SeenRun], *, by: str, reason: str | None = None
    ) -> Sequence[BulkResult]:
        """Apply a deed to runs that were seen; return the outcome of each, in order.

        A run that has changed since is left as it is. Each run is a change of its own, so a deed
        that is interrupted can be repeated.
        """
        ends: list[BulkResult] = []
        for first in range(0, len(targets), BATCH_SIZE):
            batch = targets[first : first + BATCH_SIZE]
            ends += await asyncio.gather(
                *(self._act(deed, seen, by=by, reason=reason) for seen in batch)
            )
        return ends

    async def _act(
        self, deed: BulkAction, seen: SeenRun, *, by: str, reason: str | None
    ) -> BulkResult:
        try:
            match deed:
                case BulkAction.CANCEL:
                    run = await self._runtime.cancel(seen.id, by=by, reason=reason, seen=seen)
                case BulkAction.REDRIVE:
                    run = await self._runtime.redrive(seen.id, by=by, seen=seen)
                case _:
                    assert_never(deed)
        except RunStale as error:
            return _end(seen, BulkOutcome.STALE, why=str(error))
        except (NotAllowed, IllegalTransition) as error:
            return _end(seen, BulkOutcome.SKIPPED, why=str(error))
        return _end(seen, BulkOutcome.APPLIED, run=run)

    def _why_not(
        self, deed: BulkAction, seen: SeenRun, by: str, tenant: str, doubted: Collection[RunId]
    ) -> Exclusion | None:
        own = deed is BulkAction.CANCEL
        match deed:
            case BulkAction.CANCEL if seen.status in ENDED:
                return Exclusion.OVER
            case BulkAction.REDRIVE if seen.status is not RunStatus.FAILED:
                return Exclusion.NOT_FAILED
            case _ if not may_steer(self._people, seen.principal, by, tenant, own=own):
                return Exclusion.NOT_YOURS
            case BulkAction.CANCEL if seen.cancel_by is not None:
                return Exclusion.STOPPING
            case BulkAction.REDRIVE if not seen.is_redrivable:
                return Exclusion.FOR_GOOD
            case BulkAction.REDRIVE if seen.id in doubted:
                return Exclusion.IN_DOUBT
            case _:
                return None


def _end(
    seen: SeenRun, outcome: BulkOutcome, *, run: Run | None = None, why: str = ""
) -> BulkResult:
    return BulkResult(seen=seen, outcome=outcome, run=run, why=why)
