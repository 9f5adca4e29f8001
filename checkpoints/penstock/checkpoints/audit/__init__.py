"""The append-only audit of who did what: a chain of events for each tenant.

Every change appends its event with `append`. The events of a transaction are written as it commits,
in its last statements: the heads of the chains are the last locks that it takes, and each head is
updated once, however many changes share the commit.
"""

from penstock.checkpoints.audit.chain import append
from penstock.checkpoints.audit.queries import events, head, heads, last, of_run

__all__ = ["append", "events", "head", "heads", "last", "of_run"]
