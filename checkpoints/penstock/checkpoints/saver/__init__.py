"""LangGraph's checkpointer, and what only it needs.

A call comes in through `checkpointer`. `records` makes rows of it in the caller's thread, `encode`
and `lanes` helping; `changes` writes them in the writer's thread, with `values`, `deltas` and
`heads` for what is large and `retention` for what goes. `reading` puts checkpoints together again.
`sql` holds the statements.
"""

from penstock.checkpoints.saver.checkpointer import Checkpointer

__all__ = ["Checkpointer"]
