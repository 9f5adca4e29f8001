"""What operators do about workers: see which there are, and have one drain."""

from collections.abc import Sequence

from sqlalchemy import Connection

from penstock.checkpoints import Store, workers
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.ids import WorkerId
from penstock.contracts.worker import KnownWorker
from penstock.policies import OpenDirectory, People
from penstock.runs.roles import Right, require

LISTED = 200
"""So many workers are shown of those that are there, and as many of those that have ended."""


class Tending:
    """Looks after the workers of one store, whatever process they are in."""

    def __init__(
        self, store: Store, *, people: People | None = None, clock: Clock | None = None
    ) -> None:
        """Tend those of `store`; without `people`, whoever comes may."""
        self._store = store
        self._people: People = people or OpenDirectory()
        self._clock = clock or SystemClock()

    def workers(self) -> Sequence[KnownWorker]:
        """Return the workers of the last day: those that are there, then those that have ended."""
        return self._store.read_blocking(
            lambda connection: [
                *workers.present(connection, limit=LISTED),
                *workers.ended(connection, limit=LISTED),
            ]
        )

    def drain(self, worker: WorkerId, *, by: str, tenant: str) -> KnownWorker:
        """Have a worker take nothing more, and end when what it drives has ended or waits.

        It hears so with its next beat. That cannot be taken back; asked again, it changes nothing.

        Raises:
            NotAllowed: this person may not, in their tenant.
            UnknownWorker: no worker with this id was heard of in the last day.
        """
        at = self._clock.now()

        def change(connection: Connection) -> KnownWorker:
            require(self._people, Right.TEND, by, tenant)
            return workers.ask_drain(connection, worker, tenant=tenant, at=at, by=by)

        return self._store.write_blocking(change)
