"""Which thread was copied from which: what one has done, its copies do not do again unasked."""

from sqlalchemy import Connection, select

from penstock.checkpoints.database import insert_or_replace
from penstock.checkpoints.schema import thread_lineages
from penstock.contracts.ids import ThreadId


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
