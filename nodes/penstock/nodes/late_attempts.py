"""Attempts that go on after their deadline: a function that blocks a thread cannot be stopped.

Such a call is in doubt, and not failed: it may still happen. While its attempt goes on, nothing
repeats the call and nobody can decide about it. When the attempt ends after all, it settles the
call.
"""

import asyncio
import logging

from penstock.checkpoints import Store, ledger
from penstock.contracts.call import InDoubt
from penstock.contracts.clock import Clock
from penstock.contracts.errors import StoreError
from penstock.contracts.ids import WorkerId
from penstock.nodes.calls.call import AttemptedCall, AttemptOutcome, Produced
from penstock.nodes.stages.execute import Execute, RunningAttempt, outcome_of_error

log = logging.getLogger(__name__)

MIN_PROLONG_S = 1.0
"""The least time by which an attempt that goes on is prolonged, if its tool has no margin."""


class LateAttempts:
    """The attempts of one worker that go on after their deadline."""

    def __init__(self, store: Store, clock: Clock, worker: WorkerId) -> None:
        """Record the attempts in this store, for a worker."""
        self._store = store
        self._clock = clock
        self._worker = worker
        self._watching: set[asyncio.Task[None]] = set()

    def watch(
        self, attempt: RunningAttempt, running: "asyncio.Future[object]", execute: Execute
    ) -> None:
        """Prolong an attempt, which may still land, until it has ended; then record its outcome."""
        task = asyncio.create_task(self._watch(attempt, running, execute))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    def close(self) -> None:
        """Stop watching: the process ends, and its threads with it."""
        for task in tuple(self._watching):
            task.cancel()

    async def _watch(
        self, attempt: RunningAttempt, running: "asyncio.Future[object]", execute: Execute
    ) -> None:
        attempted = attempt.attempted
        effect, number = attempted.call.effect, attempted.attempt.number
        prolong_s = max(effect.margin_s, MIN_PROLONG_S)
        try:
            while not running.done():
                await self._store.write(
                    lambda connection: ledger.prolong(
                        connection, effect.key, number, by_s=prolong_s
                    )
                )
                await asyncio.wait({running}, timeout=prolong_s / 2)
            error = running.exception()
            if error is None:
                outcome = await execute.outcome_of_result(attempt, running.result())
            else:
                outcome = outcome_of_error(attempt, error)
            await self._record(attempted, outcome)
        except StoreError as failure:
            log.warning("what became late of `%s` is not recorded: %s", effect.tool, failure)

    async def _record(self, attempted: AttemptedCall, outcome: AttemptOutcome) -> None:
        if isinstance(outcome, InDoubt):
            return
        key, number = attempted.call.effect.key, attempted.attempt.number
        at, worker = self._clock.now(), self._worker
        if isinstance(outcome, Produced):
            text = outcome.text
            await self._store.write(
                lambda connection: ledger.succeed(
                    connection, key, number, text, at=at, actor=worker
                )
            )
        else:
            await self._store.write(
                lambda connection: ledger.fail(
                    connection, key, number, outcome, at=at, actor=worker
                )
            )
