"""Whole stored threads: deleted, or copied to a new thread.

Each function runs in the writer, in one transaction: a reader sees a thread before or after, never
in between. Whatever deletes stored versions raises the namespace's generation, so that no process
builds the next version on one that is gone.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    delete,
    insert,
    literal,
    select,
    update,
)

from penstock.checkpoints.schema import (
    checkpoint_namespaces,
    checkpoint_values,
    checkpoint_writes,
    checkpoints,
)
from penstock.contracts.errors import ThreadExists


def delete_thread(connection: Connection, thread_id: str) -> None:
    """Delete all of a thread."""
    ns = checkpoint_namespaces
    namespaces = begin_generation(connection, ns.c.thread_id == thread_id)
    for table in (checkpoint_values, checkpoint_writes, checkpoints):
        connection.execute(delete(table).where(table.c.namespace_id.in_(namespaces)))
    connection.execute(delete(ns).where(ns.c.thread_id == thread_id))


def copy_thread(connection: Connection, source_id: str, target_id: str) -> None:
    """Copy all of a thread, with its whole history, to a new one.

    Raises:
        ThreadExists: the target already holds something.
    """
    ns = checkpoint_namespaces
    if connection.execute(select(ns.c.id).where(ns.c.thread_id == target_id)).first():
        msg = (
            f"thread `{source_id}` cannot be copied to `{target_id}`: that thread already holds"
            " checkpoints; copy to a new thread, or delete that one first"
        )
        raise ThreadExists(msg)
    sources = connection.execute(
        select(ns.c.id, ns.c.checkpoint_ns).where(ns.c.thread_id == source_id)
    ).fetchall()
    for source, checkpoint_ns in sources:
        fresh = {"thread_id": target_id, "checkpoint_ns": checkpoint_ns, "generation": 0}
        target = connection.execute(insert(ns).values(fresh).returning(ns.c.id)).scalar_one()
        for table in (checkpoint_values, checkpoint_writes, checkpoints):
            names = [c.name for c in table.c if c.name not in {"namespace_id", "seq"}]
            rows = select(literal(target, BigInteger), *(table.c[name] for name in names))
            rows = rows.where(table.c.namespace_id == source)
            if table is checkpoints:
                rows = rows.order_by(table.c.seq)
            connection.execute(insert(table).from_select(["namespace_id", *names], rows))


def begin_generation(connection: Connection, which: ColumnElement[bool]) -> Sequence[int]:
    """Begin a new generation of these namespaces and return their ids.

    It comes first: where several writers run at once, every writer of a checkpoint holds a shared
    lock on the row that is updated here.
    """
    ns = checkpoint_namespaces
    risen = update(ns).where(which).values(generation=ns.c.generation + 1).returning(ns.c.id)
    return connection.execute(risen).scalars().all()
