"""LangGraph's checkpointer, and what only it needs.

A call comes in through `checkpointer`. `records` makes rows of it in the caller's thread, `encode`
and `lanes` helping; `changes` writes them in the writer's thread, with `values`, `deltas` and
`heads` for what is large, `retention` for what goes and `forking` for threads that begin at a
checkpoint of another. `reading` puts checkpoints together again, and `plain` makes them readable.
`sql` holds the statements.
"""

from penstock.checkpoints.saver.checkpointer import Checkpointer
from penstock.checkpoints.saver.forks import Fork

__all__ = ["Checkpointer", "Fork"]
