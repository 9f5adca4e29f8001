"""The append-only record of who did what: a chain of events for each tenant.

Whoever changes something says so with `append`. What a transaction has to tell is written when it
commits, in its own last statements: the heads of the chains are the last locks that are taken, and
each is touched once, however many changes share the commit.
"""

from penstock.checkpoints.audit.chain import append
from penstock.checkpoints.audit.queries import events, head, heads, last, of_run

__all__ = ["append", "events", "head", "heads", "last", "of_run"]
