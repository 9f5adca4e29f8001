"""What a worker says of itself: where it runs, what it drives, and how often it is heard of."""

import os
import socket
from importlib.metadata import PackageNotFoundError, version

from penstock.contracts.ids import new_worker_id
from penstock.contracts.worker import NewWorker
from penstock.graphs import Catalog
from penstock.runs.pace import Pace

NO_VERSION = "not installed as a package"

SHOWN_S = 1.0
SHOWN_OF_LEASE = 5
"""Beats that are shorter than this, and than so much of the lease, are not all shown to people."""


def introduce(catalog: Catalog, pace: Pace) -> NewWorker:
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
