"""Pruning: some checkpoints of a thread stay, the rest are deleted with what only they needed.

Pruning runs in the writer, in one transaction: a reader sees a thread before or after, never in
between.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    select,
    update,
)

from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.reader import CheckpointReader
from penstock.checkpoints.saver.sql import CheckpointRow, CheckpointSql
from penstock.checkpoints.saver.threads import begin_generation
from penstock.checkpoints.saver.values import Values
from penstock.checkpoints.schema import (
    checkpoint_namespaces,
    checkpoint_values,
    checkpoint_writes,
    checkpoints,
)

DELTA_COUNTERS = "counters_since_delta_snapshot"
"""Where LangGraph's metadata names the `DeltaChannel`s whose value lies in earlier checkpoints."""


class CheckpointPruner:
    """Deletes checkpoints, and the values and writes that no remaining checkpoint needs."""

    def __init__(self, sql: CheckpointSql, values: Values, reading: CheckpointReader) -> None:
        """Work on what `values` has stored."""
        self._sql = sql
        self._values = values
        self._reading = reading

    def keep_latest(
        self, connection: Connection, serde: SerializerProtocol, thread_id: str
    ) -> None:
        """Keep the newest checkpoint of each namespace, and what it cannot be read without."""
        for namespace_id in begin_generation(
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
        for namespace_id in begin_generation(connection, checkpoint_namespaces.c.id.in_(touched)):
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
        # Read before anything is deleted: a version that loses its base is stored whole.
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


def _delta_channels(row: CheckpointRow | None) -> Collection[str]:
    return [] if row is None else json.loads(row.metadata).get(DELTA_COUNTERS) or []
