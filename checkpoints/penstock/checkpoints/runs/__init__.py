"""Runs in the store. Each function takes a connection first, and part in its transaction.

A change of state is an update that contains its own guard and must touch exactly one row; nothing
is read first and trusted later. Each change appends its event to the audit chain.
"""

from penstock.checkpoints.runs.creation import ancestors, create, living_children, record_fork
from penstock.checkpoints.runs.queries import (
    counts,
    find,
    get,
    graphs,
    list_seen,
    lock,
    page,
    tags,
    versions,
    waiting_nodes,
)
from penstock.checkpoints.runs.transitions import (
    cancel,
    claim,
    move,
    park,
    pause,
    redrive,
    resume,
    wake,
)

__all__ = [
    "ancestors",
    "cancel",
    "claim",
    "counts",
    "create",
    "find",
    "get",
    "graphs",
    "list_seen",
    "living_children",
    "lock",
    "move",
    "page",
    "park",
    "pause",
    "record_fork",
    "redrive",
    "resume",
    "tags",
    "versions",
    "waiting_nodes",
    "wake",
]
