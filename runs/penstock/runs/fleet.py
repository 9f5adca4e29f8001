"""The workers of a store: how a worker describes itself, which workers there are, draining one."""

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

LIST_LIMIT = 200
"""At most so many present workers are listed, and as many that have ended."""

NO_VERSION = "not installed as a package"

MIN_SHOWN_BEAT_S = 1.0
BEATS_PER_LEASE = 5
"""A worker updates its row at most once in `MIN_SHOWN_BEAT_S`, but so often in a lease."""


class Fleet:
    """The workers of one store, whatever process they are in."""

    def __init__(
        self, store: Store, *, people: People | None = None, clock: Clock | None = None
    ) -> None:
        """Manage the workers of `store`; without `people`, everybody may."""
        self._store = store
        self._people: People = people or OpenDirectory()
        self._clock = clock or SystemClock()

    def workers(self) -> Sequence[KnownWorker]:
        """Return the workers of the last day: those that are present, then those that ended."""
        return self._store.read_blocking(
            lambda connection: [
                *workers.present(connection, limit=LIST_LIMIT),
                *workers.ended(connection, limit=LIST_LIMIT),
            ]
        )

    def drain(self, worker: WorkerId, *, by: str, tenant: str) -> KnownWorker:
        """Ask a worker to claim nothing more, and to end when its runs have ended or wait.

        It sees the request at its next beat. A request cannot be taken back; a second one changes
        nothing.

        Raises:
            NotAllowed: this person may not, in their tenant.
            UnknownWorker: no worker with this id was seen in the last day.
        """
        at = self._clock.now()

        def change(connection: Connection) -> KnownWorker:
            require(self._people, Right.MANAGE_WORKERS, by, tenant)
            return workers.request_drain(connection, worker, tenant=tenant, at=at, by=by)

        return self._store.write_blocking(change)


def describe_worker(catalog: Catalog, pace: Pace) -> NewWorker:
    """Return what a new worker of this process publishes: its host, graphs and pace."""
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
        beat_s=max(pace.beat_s, min(MIN_SHOWN_BEAT_S, pace.lease_s / BEATS_PER_LEASE)),
        lease_s=pace.lease_s,
    )
