"""Deleting, thinning out and copying stored threads.

All of it runs in the writer, in one transaction: a reader sees a thread before or after, never in
between. Whatever takes stored versions away raises the namespace's generation, so that no process
builds the next version on one that is gone.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    delete,
    insert,
    literal,
    select,
    update,
)

from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.reader import CheckpointReader
from penstock.checkpoints.saver.sql import CheckpointRow, CheckpointSql
from penstock.checkpoints.saver.values import Values
from penstock.checkpoints.schema import (
    checkpoint_namespaces,
    checkpoint_values,
    checkpoint_writes,
    checkpoints,
)
from penstock.contracts.errors import ThreadExists

DELTA_COUNTERS = "counters_since_delta_snapshot"
"""Where LangGraph's metadata names the `DeltaChannel`s whose value lies in earlier checkpoints."""


def delete_thread(connection: Connection, thread_id: str) -> None:
    """Delete all of a thread."""
    ns = checkpoint_namespaces
    doomed = _begin_generation(connection, ns.c.thread_id == thread_id)
    for table in (checkpoint_values, checkpoint_writes, checkpoints):
        connection.execute(delete(table).where(table.c.namespace_id.in_(doomed)))
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


class CheckpointPruner:
    """Keeps some checkpoints of a thread and removes the rest, with what only those needed."""

    def __init__(self, sql: CheckpointSql, values: Values, reading: CheckpointReader) -> None:
        """Work on what `values` has stored."""
        self._sql = sql
        self._values = values
        self._reading = reading

    def keep_latest(
        self, connection: Connection, serde: SerializerProtocol, thread_id: str
    ) -> None:
        """Keep the newest checkpoint of each namespace, and what it cannot be read without."""
        for namespace_id in _begin_generation(
            connection, checkpoint_namespaces.c.thread_id == thread_id
        ):
            row = self._sql.find_checkpoint(connection, namespace_id, None)
            kept = self.needed(connection, serde, namespace_id, row)
            self._keep(connection, serde, namespace_id, checkpoints.c.checkpoint_id.in_(kept))

    def needed(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        namespace_id: int,
        row: CheckpointRow | None,
    ) -> list[str]:
        """Return a checkpoint and those that it cannot be read without, the nearest first."""
        kept: list[str] = []
        # A DeltaChannel's value lies in the writes since an earlier checkpoint that holds it.
        open_channels = set(_delta_channels(row))
        while row is not None:
            kept.append(row.checkpoint_id)
            open_channels -= self._reading.held(serde, row)
            if not open_channels or row.parent_id is None:
                break
            row = self._sql.find_checkpoint(connection, namespace_id, row.parent_id)
        return kept

    def drop_runs(
        self, connection: Connection, serde: SerializerProtocol, run_ids: Collection[str]
    ) -> None:
        """Remove the checkpoints that these runs have written."""
        cp = checkpoints
        theirs = cp.c.run_id.in_(run_ids)
        touched = select(cp.c.namespace_id).where(theirs)
        for namespace_id in _begin_generation(connection, checkpoint_namespaces.c.id.in_(touched)):
            self._keep(connection, serde, namespace_id, cp.c.run_id.is_(None) | ~theirs)

    def _keep(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        namespace_id: int,
        kept: ColumnElement[bool],
    ) -> None:
        cp, wr = checkpoints, checkpoint_writes
        connection.execute(delete(cp).where(cp.c.namespace_id == namespace_id, ~kept))
        left = select(cp.c.checkpoint_id).where(cp.c.namespace_id == namespace_id)
        connection.execute(
            delete(wr).where(wr.c.namespace_id == namespace_id, wr.c.checkpoint_id.not_in(left))
        )
        self.keep_values(connection, serde, namespace_id)

    def keep_values(
        self, connection: Connection, serde: SerializerProtocol, namespace_id: int
    ) -> None:
        """Remove the versions of channels that no checkpoint of a namespace needs."""
        cp, val = checkpoints, checkpoint_values
        statement = select(
            cp.c.seq, cp.c.checkpoint_id, cp.c.parent_id, cp.c.metadata, cp.c.body_type, cp.c.body
        ).where(cp.c.namespace_id == namespace_id)
        needed = {
            value
            for row in connection.execute(statement)
            for value in self._reading.stored_apart(serde, CheckpointRow(*row))
        }
        of_namespace = val.c.namespace_id == namespace_id
        stored = connection.execute(
            select(val.c.channel, val.c.version, val.c.base_version).where(of_namespace)
        ).fetchall()
        # Read before anything goes: what loses its base is from now on kept whole.
        whole = {
            (channel, version): self._values.load(
                connection, namespace_id, channel, version=version
            )[1]
            for channel, version, base in stored
            if (channel, version) in needed and base is not None and (channel, base) not in needed
        }
        one = (
            of_namespace,
            val.c.channel == bindparam("of_channel"),
            val.c.version == bindparam("of_version"),
        )
        for (channel, version), raw in whole.items():
            connection.execute(
                update(val)
                .where(*one)
                .values(base_version=None, link_count=0, key_count=0, data=deltas.pack(raw)),
                {"of_channel": channel, "of_version": version},
            )
        gone: Sequence[dict[str, Any]] = [
            {"of_channel": channel, "of_version": version}
            for channel, version, _ in stored
            if (channel, version) not in needed
        ]
        if gone:
            connection.execute(delete(val).where(*one), gone)


def _begin_generation(connection: Connection, which: ColumnElement[bool]) -> Sequence[int]:
    """Begin a new generation of these namespaces and return their ids.

    It comes first: where writers do not exclude each other, the row that is changed here is the
    one that every checkpoint holds while it is written.
    """
    ns = checkpoint_namespaces
    risen = update(ns).where(which).values(generation=ns.c.generation + 1).returning(ns.c.id)
    return connection.execute(risen).scalars().all()


def _delta_channels(row: CheckpointRow | None) -> Collection[str]:
    return [] if row is None else json.loads(row.metadata).get(DELTA_COUNTERS) or []
