"""Which thread was copied from which: what one has done, the others do not do again unasked."""

import json

from sqlalchemy import Connection, select

from penstock.checkpoints.database import insert_or_replace
from penstock.checkpoints.ledger import sql
from penstock.checkpoints.ledger.rows import effect_of
from penstock.checkpoints.schema import thread_lineages
from penstock.contracts.effect import Effect, NewEffect
from penstock.contracts.ids import ThreadId

_ALIKE = 0x6C696E65
# PostgreSQL: whoever begins one of the calls that are alike in a lineage.


def lineage_of(connection: Connection, thread_id: ThreadId) -> ThreadId:
    """Return the thread that this one was copied from, first of all; itself if it was not."""
    statement = select(thread_lineages.c.lineage).where(thread_lineages.c.thread_id == thread_id)
    found = connection.execute(statement).scalar()
    return thread_id if found is None else ThreadId(found)


def descend(connection: Connection, thread_id: ThreadId, *, of: ThreadId) -> None:
    """Record that a thread has become a copy of another."""
    lineage = lineage_of(connection, of)
    if lineage != thread_id:
        connection.execute(
            insert_or_replace(connection.dialect, thread_lineages, key=("thread_id",)).values(
                thread_id=thread_id, lineage=lineage
            )
        )


def forget(connection: Connection, thread_id: ThreadId) -> None:
    """Have a thread be a copy of nothing: it was deleted, and its name may be used anew."""
    connection.execute(thread_lineages.delete().where(thread_lineages.c.thread_id == thread_id))


def elsewhere(connection: Connection, new: NewEffect) -> Effect | None:
    """Return an effect with the same arguments that another thread of the lineage has had."""
    row = sql.elsewhere.first(
        connection,
        {
            "of_lineage": new.lineage,
            "of_tool": new.tool,
            "of_digest": new.digest,
            "but_key": new.key,
            "but_thread": new.thread_id,
        },
    )
    return None if row is None else effect_of(row)


def is_alone(connection: Connection, new: NewEffect) -> bool:
    """Keep others from beginning a call like this one in its lineage until the transaction ends.

    Returns whether that came about: somebody may be about to begin such a call. Nobody waits for
    them here, so it matters to no order of locks. On SQLite whoever writes is alone.
    """
    if connection.dialect.name != "postgresql":
        return True
    told = json.dumps([new.lineage, new.tool, new.digest])
    found = sql.keep_alone.first(connection, {"alike": told, "place": _ALIKE})
    return found is not None and bool(found["is_alone"])
