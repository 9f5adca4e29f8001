"""Attempts that go on after their deadline: what blocks a thread cannot be stopped.

Such a call is in doubt, and not failed: it may still happen. As long as it goes on, nothing repeats
it and nobody can decide about it. When it ends after all, that settles it.
"""

import asyncio
import logging

from penstock.checkpoints import Store, ledger
from penstock.contracts.call import InDoubt
from penstock.contracts.clock import Clock
from penstock.contracts.errors import StoreError
from penstock.contracts.ids import WorkerId
from penstock.nodes.calls.call import Attempted, Ending, Produced
from penstock.nodes.stages.execute import Execute, Underway, ending_of_error

log = logging.getLogger(__name__)

LEAST_S = 1.0
"""An attempt that goes on may still land for so long at least, even if its tool has no margin."""


class Stragglers:
    """The attempts of one worker that go on after their deadline."""

    def __init__(self, store: Store, clock: Clock, worker: WorkerId) -> None:
        """Report to this store."""
        self._store = store
        self._clock = clock
        self._worker = worker
        self._watching: set[asyncio.Task[None]] = set()

    def watch(
        self, underway: Underway, running: "asyncio.Future[object]", execute: Execute
    ) -> None:
        """Have an attempt count as one that may still land until it has ended."""
        task = asyncio.create_task(self._watch(underway, running, execute))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    def close(self) -> None:
        """Watch no more: the process ends, and its threads with it."""
        for task in tuple(self._watching):
            task.cancel()

    async def _watch(
        self, underway: Underway, running: "asyncio.Future[object]", execute: Execute
    ) -> None:
        attempted = underway.attempted
        effect, number = attempted.call.effect, attempted.attempt.number
        ahead_s = max(effect.margin_s, LEAST_S)
        try:
            while not running.done():
                await self._store.write(
                    lambda connection: ledger.prolong(connection, effect.key, number, by_s=ahead_s)
                )
                await asyncio.wait({running}, timeout=ahead_s / 2)
            error = running.exception()
            if error is None:
                ending = await execute.ending_of(underway, running.result())
            else:
                ending = ending_of_error(underway, error)
            await self._report(attempted, ending)
        except StoreError as failure:
            log.warning("what became late of `%s` is not recorded: %s", effect.tool, failure)

    async def _report(self, attempted: Attempted, ending: Ending) -> None:
        if isinstance(ending, InDoubt):
            return
        key, number = attempted.call.effect.key, attempted.attempt.number
        at, worker = self._clock.now(), self._worker
        if isinstance(ending, Produced):
            text = ending.text
            await self._store.write(
                lambda connection: ledger.succeed(
                    connection, key, number, text, at=at, actor=worker
                )
            )
        else:
            await self._store.write(
                lambda connection: ledger.fail(connection, key, number, ending, at=at, actor=worker)
            )
