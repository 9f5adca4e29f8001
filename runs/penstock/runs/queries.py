"""Queries about runs: lists of them, and the steps, calls, gates and history of each."""

import asyncio
from collections.abc import Collection, Sequence

from penstock.checkpoints import Store, audit, budgets, gates, ledger, runs, steps
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import AccountStatement, Hold, run_account
from penstock.contracts.effect import Effect, EffectStatus, Report
from penstock.contracts.gate import Gate
from penstock.contracts.ids import GateId, IdempotencyKey, RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.contracts.step import Step

PAGE_ROWS = 50
"""The rows of a page."""


class Queries:
    """Reads the runs of a store, and changes nothing."""

    def __init__(self, store: Store) -> None:
        """Read the runs of `store`."""
        self._store = store

    async def get(self, run_id: RunId) -> Run:
        """Return a run.

        Raises:
            UnknownRun: there is none with this id.
        """
        return await self._store.read(lambda connection: runs.get(connection, run_id))

    async def list(
        self,
        *,
        statuses: Collection[RunStatus] = (),
        graph: str | None = None,
        thread_id: str | None = None,
        tenant: str | None = None,
        parent_id: RunId | None = None,
        tags: Collection[str] = (),
        before: RunId | None = None,
        limit: int = PAGE_ROWS,
    ) -> Sequence[Run]:
        """Return runs, newest first; `before` is the last run of the page before.

        A run matches if it has all of the `tags`.
        """
        return await self._store.read(
            lambda connection: runs.find(
                connection,
                statuses=statuses,
                graph=graph,
                thread_id=thread_id,
                tenant=tenant,
                parent_id=parent_id,
                tags=tags,
                before=before,
                limit=limit,
            )
        )

    async def effects(
        self,
        *,
        run_id: RunId | None = None,
        statuses: Sequence[EffectStatus] = (),
        tool: str | None = None,
        tenant: str | None = None,
        limit: int = PAGE_ROWS,
    ) -> Sequence[Effect]:
        """Return tool calls from the ledger, the newest first."""
        return await self._store.read(
            lambda connection: ledger.list_effects(
                connection,
                tenant=tenant,
                run_id=run_id,
                statuses=statuses,
                tool=tool,
                limit=limit,
            )
        )

    async def effect(self, key: IdempotencyKey) -> tuple[Effect, Sequence[Report]]:
        """Return a tool call with its result, and its reports.

        Raises:
            UnknownEffect: there is none with this key.
        """
        return await self._store.read(
            lambda connection: (ledger.get(connection, key), ledger.reports(connection, key))
        )

    async def effect_keys(self, beginning: str, *, tenant: str) -> Sequence[IdempotencyKey]:
        """Return the keys of a tenant's tool calls that begin so; at most two."""
        return await self._store.read(
            lambda connection: ledger.keys_by_prefix(connection, beginning, tenant=tenant, limit=2)
        )

    async def budget(self, run_id: RunId) -> tuple[AccountStatement | None, Sequence[Hold]]:
        """Return the account of a run's budget, and what each of its calls holds or has used.

        A run from before there were budgets has no account until its next call.
        """
        return await self._store.read(
            lambda connection: (
                budgets.statement(connection, run_account(run_id)),
                budgets.holds(connection, run_id),
            )
        )

    async def days(self, *, tenant: str, limit: int = PAGE_ROWS) -> Sequence[AccountStatement]:
        """Return what a tenant's runs have used, by day, where days have caps."""
        return await self._store.read(
            lambda connection: budgets.days(connection, tenant, limit=limit)
        )

    async def steps(self, run_id: RunId) -> Sequence[Step]:
        """Return the steps of a run, in the order in which they were recorded."""
        return await self._store.read(lambda connection: steps.of_run(connection, run_id))

    async def history(self, run_id: RunId) -> Sequence[AuditEvent]:
        """Return the audit events of a run: the states of the run and its gates, with actors."""
        return await self._store.read(lambda connection: audit.of_run(connection, run_id))

    async def gate(self, gate_id: GateId) -> Gate:
        """Return a gate.

        Raises:
            UnknownGate: there is no such gate.
        """
        return await self._store.read(lambda connection: gates.get(connection, gate_id))

    async def gates(self, run_id: RunId) -> Sequence[Gate]:
        """Return the gates of a run, in the order in which they were opened."""
        return await self._store.read(lambda connection: gates.of_run(connection, run_id))

    async def open_gates(
        self, *, tenant: str | None = None, limit: int = PAGE_ROWS
    ) -> Sequence[Gate]:
        """Return open gates, the longest waiting first."""
        return await self._store.read(
            lambda connection: gates.list_open(connection, tenant=tenant, limit=limit)
        )

    async def wait(self, run_id: RunId, *, poll_s: float = 0.05) -> Run:
        """Return the run once it has ended or waits at a gate; set a timeout around it.

        Raises:
            UnknownRun: there is no such run.
        """
        while True:
            run = await self.get(run_id)
            if run.status in ENDED or run.status is RunStatus.WAITING:
                return run
            await asyncio.sleep(poll_s)
