"""LangGraph's checkpointer on the store.

A call enters at `checkpointer`. In the caller's thread `records` turns it into rows, with
`serialization` and `early_writes`. In the writer's thread `changes` stores them, with `values` and
`deltas` for large values, `pruner` and `threads` for deletion, and `forks` for threads that begin
at a checkpoint of another. `reader` assembles checkpoints again. `sql` holds the statements.

Importing this package, or `threads`, does not import LangGraph.
"""
