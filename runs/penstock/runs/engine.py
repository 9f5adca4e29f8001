"""What hands queued runs to workers, as workers and the runtime see it.

An engine only says "look at run R". Which runs are queued, and who may drive them, is in the runs'
table alone: an engine may lose what it was told, or tell it twice, and nothing breaks.
"""

from typing import Protocol

from sqlalchemy import Connection

from penstock.contracts.run import Run


class Taker(Protocol):
    """A worker, as an engine sees it."""

    @property
    def poll_s(self) -> float:
        """How long it waits between two looks for runs that another process queued."""
        ...

    @property
    def free_count(self) -> int:
        """How many more runs it would drive now; 0 when it drains."""
        ...

    @property
    def is_draining(self) -> bool:
        """Whether it takes nothing more."""
        ...

    async def take(self, limit: int) -> int:
        """Claim and drive up to `limit` of the runs that wait longest; return how many."""
        ...

    def heed(self) -> None:
        """See now what was asked of the runs that it drives. From any thread."""
        ...


class Engine(Protocol):
    """Hands queued runs to the workers of every process that shares the store."""

    def enqueue(self, connection: Connection, run: Run) -> None:
        """Take note of a run, in the transaction that queued it."""
        ...

    def wake(self) -> None:
        """Have the workers of this process look now: a run was queued here. From any thread."""
        ...

    def heed(self) -> None:
        """Have the workers of this process see now what was asked here of runs that are driven.

        From any thread. Those of other processes see it with their next look.
        """
        ...

    async def work(self, taker: Taker) -> None:
        """Hand runs to a worker until it drains; `wake` it then."""
        ...

    def sweep(self, connection: Connection) -> None:
        """Take note of queued runs that were forgotten; every worker calls it at each beat."""
        ...
