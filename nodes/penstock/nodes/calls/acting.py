"""Who makes the calls of a segment, and where they are recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC

from penstock.checkpoints import Store, budgets
from penstock.contracts.budget import Account, AccountKind, Budget, day_account, run_account
from penstock.contracts.clock import Clock
from penstock.contracts.ids import RunId, WorkerId
from penstock.contracts.run import Run
from penstock.nodes.calls.halt import Halt
from penstock.nodes.isolation import Pool
from penstock.nodes.secrets import Source, environment
from penstock.policies import People
from penstock.traces import SegmentTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """The run that acts, the worker that drives it, and the ledger they write to."""

    store: Store
    clock: Clock
    run: Run
    """As it was claimed."""
    worker: WorkerId
    pool: Pool
    """Runs the tools that want processes of their own."""
    people: People
    """Who may do what, and who decides."""
    halt: Halt = field(default_factory=Halt)
    """Tells the calls to stop."""
    secrets: Source = environment
    """Returns secrets by their names."""
    trace: SegmentTrace = field(default_factory=SegmentTrace)
    """What is seen from outside."""
    note_steps: Callable[[], None] = field(default=lambda: None)
    """Writes down which steps are under way, with what is written next; from any thread.

    For a trace: whoever takes the run over knows by it what the calls of a lost worker hang on.
    """
    budget: Budget = field(default_factory=Budget)
    """What the run may use, where its account does not say so already; and prices of models."""
    parents: Sequence[RunId] = ()
    """The runs above it, the one that started it first: what it uses, they use."""
    day_budget: Budget | None = None
    """What the runs of a tenant may use in a day together; None where that has no caps."""

    def accounts(self) -> Sequence[Account]:
        """Return what its calls are reserved on, the run's own account first."""
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
