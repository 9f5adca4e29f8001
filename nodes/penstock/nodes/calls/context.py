"""The context of a segment's calls: its run and worker, where they record, and when they stop."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC

from penstock.checkpoints import Store, budgets
from penstock.contracts.budget import Account, AccountKind, Budget, day_account, run_account
from penstock.contracts.clock import Clock
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import Run
from penstock.nodes.isolation import Pool
from penstock.nodes.secrets import Source, environment
from penstock.policies import People
from penstock.traces import SegmentTrace


class Halt:
    """A request to stop the calls of a segment, because its run has to end now.

    Calls under way are then stopped, and no other begins. A call that had begun is settled all the
    same, or is in doubt: stopping it says nothing about whether it happened.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Wait for the request on a loop; on the running one, where none is named."""
        self._loop = loop or asyncio.get_running_loop()
        self._requested: asyncio.Future[None] = self._loop.create_future()
        self.closing = asyncio.Event()
        """Set when no further attempt is to be made in the segment."""
        self.reason = ""
        """The reason of the request, as the end of a sentence."""

    @property
    def is_requested(self) -> bool:
        """Whether the calls under way are to stop."""
        return self._requested.done()

    def request(self, reason: str) -> None:
        """Stop the calls of the segment; the first reason is the one that is kept."""
        if not self.is_requested:
            self.reason = reason
            self.closing.set()
            self._requested.set_result(None)

    def future(self) -> "asyncio.Future[None] | None":
        """Return a future of the running loop that is done once the request is made.

        On any loop but the segment's there is none: a synchronous call then blocks the segment's
        loop, on which the request would be made.
        """
        return self._requested if asyncio.get_running_loop() is self._loop else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentContext:
    """The run that a segment drives, its worker, and the store that records its calls."""

    store: Store
    clock: Clock
    run: Run
    """As it was claimed."""
    worker: WorkerId
    pool: Pool
    """Runs the tools that are isolated in processes of their own."""
    people: People
    """The roles and groups of people, and who may approve."""
    halt: Halt = field(default_factory=Halt)
    """Stops the calls."""
    secrets: Source = environment
    """Returns secrets by their names."""
    trace: SegmentTrace = field(default_factory=SegmentTrace)
    """The trace of the segment."""
    note_steps: Callable[[], None] = field(default=lambda: None)
    """Records the steps under way in the commit of the next write; from any thread.

    Only traces need it: a worker that takes the run over learns from it to which steps the calls of
    a lost worker belong.
    """
    budget: Budget = field(default_factory=Budget)
    """The run's budget, for an account that has none yet; and the prices of models."""
    parents: Sequence[RunId] = ()
    """The runs above it, beginning with the one that started it: they pay for it too."""
    day_budget: Budget | None = None
    """The budget that all runs of a tenant share for a day; None where there is none."""

    def accounts(self) -> Sequence[Account]:
        """Return the accounts on which its calls reserve, the run's own first."""
        own = budgets.account_of(self.run, self.budget)
        above = [
            Account(
                id=run_account(parent),
                kind=AccountKind.RUN,
                tenant=self.run.tenant,
                budget=Budget(),
            )
            for parent in self.parents
        ]
        if self.day_budget is None:
            return (own, *above)
        tenant, day = self.run.tenant, self.clock.now().astimezone(UTC).date().isoformat()
        shared = Account(
            id=day_account(tenant, day),
            kind=AccountKind.DAY,
            tenant=tenant,
            budget=self.day_budget,
        )
        return (own, *above, shared)
