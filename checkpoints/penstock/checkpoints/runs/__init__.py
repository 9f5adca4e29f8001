"""Runs in the store. Every function takes a connection first and is one transaction's part.

A change of state is an update that holds its own guard and must touch exactly one row; nothing is
read first and believed later. Each writes its audit event beside it.
"""

from penstock.checkpoints.runs.family import ancestors, living_children
from penstock.checkpoints.runs.forks import forked
from penstock.checkpoints.runs.listing import counts, graphs, page, tags
from penstock.checkpoints.runs.moving import claim, move, park, wake
from penstock.checkpoints.runs.reading import find, get, lock
from penstock.checkpoints.runs.seeing import look_over
from penstock.checkpoints.runs.starting import create
from penstock.checkpoints.runs.steering import cancel, pause, redrive, resume
from penstock.checkpoints.runs.versions import versions, waiting_nodes

__all__ = [
    "ancestors",
    "cancel",
    "claim",
    "counts",
    "create",
    "find",
    "forked",
    "get",
    "graphs",
    "living_children",
    "lock",
    "look_over",
    "move",
    "page",
    "park",
    "pause",
    "redrive",
    "resume",
    "tags",
    "versions",
    "waiting_nodes",
    "wake",
]
