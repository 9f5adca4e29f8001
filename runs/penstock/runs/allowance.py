"""What a segment may still use of its run's steps and time."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from penstock.checkpoints import budgets, steps
from penstock.contracts.budget import AccountKind, Shortfall, Standing, Unit, run_account
from penstock.contracts.errors import OverBudget
from penstock.contracts.run import Run
from penstock.contracts.signals import BudgetExhausted


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What was executed of a run before a segment."""

    count: int = 0
    """Steps that came to an end."""
    succeeded: Collection[str] = frozenset()
    """Their tasks, where they did so with success: LangGraph tells of some of them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The caps of a run on steps and time, and what was used of them before a segment."""

    run: Run
    steps: int | None = None
    """The cap on steps; None for no cap."""
    executed: Executed = Executed()
    time: Standing | None = None
    """How the run stands in time; None for no cap."""

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None]:
        """Leave what is done within this when the time is over.

        Raises:
            BudgetExhausted: it is over.
        """
        left = None if self.time is None else self.time.left
        limit = asyncio.timeout(None if left is None else left / 1000)
        try:
            async with limit:
                yield
        except Exception as error:
            # A node may make something else of being stopped.
            if self.time is None or not limit.expired():
                raise
            raise BudgetExhausted(OverBudget(self._short(self.time), self.run.graph)) from error

    def _short(self, time: Standing) -> Shortfall:
        return Shortfall(
            account=run_account(self.run.id),
            kind=AccountKind.RUN,
            unit=Unit.WALL_MS,
            left=0,
            wanted=1,
            currency=None,
            cap=time.cap,
        )


def allowance_of(connection: Connection, run: Run) -> Allowance:
    """Return what is left of a run's steps and time, as it was claimed."""
    driven = budgets.driven(connection, run.id)
    # Of a run that is claimed for the first time nothing was executed.
    done = steps.succeeded(connection, run.id) if run.epoch > 1 else frozenset[str]()
    if not driven:
        return Allowance(run=run, executed=Executed(succeeded=done))
    executed, time = driven[Unit.STEPS], driven[Unit.WALL_MS]
    return Allowance(
        run=run,
        steps=executed.cap,
        executed=Executed(count=executed.spent, succeeded=done),
        time=None if time.cap is None else time,
    )
