"""What operators do about workers: see which there are, and have one drain.

What a worker says of itself: where it runs, what it drives, and how often it is heard of.
"""

import os
import socket
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import Connection

from penstock.checkpoints import Store, workers
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.ids import WorkerId, new_worker_id
from penstock.contracts.worker import KnownWorker, NewWorker
from penstock.graphs import Catalog
from penstock.policies import OpenDirectory, People
from penstock.runs.authorization import Right, require
from penstock.runs.pace import Pace

LISTED = 200
"""So many workers are shown of those that are there, and as many of those that have ended."""

NO_VERSION = "not installed as a package"

SHOWN_S = 1.0

SHOWN_OF_LEASE = 5
"""Beats that are shorter than this, and than so much of the lease, are not all shown to people."""


class Fleet:
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
            return workers.request_drain(connection, worker, tenant=tenant, at=at, by=by)

        return self._store.write_blocking(change)


def describe_worker(catalog: Catalog, pace: Pace) -> NewWorker:
    """Return what a new worker of this process says of itself."""
    host, pid = socket.gethostname(), os.getpid()
    try:
        installed = version("penstock")
    except PackageNotFoundError:
        installed = NO_VERSION
    return NewWorker(
        id=new_worker_id(host, pid),
        host=host,
        pid=pid,
        version=installed,
        graphs=sorted((graph.name, str(graph.fingerprint)) for graph in catalog),
        slot_count=pace.slots,
        beat_s=max(pace.beat_s, min(SHOWN_S, pace.lease_s / SHOWN_OF_LEASE)),
        lease_s=pace.lease_s,
    )
