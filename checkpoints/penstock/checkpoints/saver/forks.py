"""Forks: threads that begin at a checkpoint of another thread.

A fork has that one checkpoint of the other thread, and no write on it: an execution that had begun
there begins again. LangGraph derives the ids of executions from the id of their checkpoint, so an
execution that begins at the copy is the same as before, and its calls have the same keys. Where
values are edited, the checkpoint is another one, and so are its executions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.base import SerializerProtocol
from sqlalchemy import BigInteger, Connection, delete, insert, literal, select

from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.pruner import CheckpointPruner
from penstock.checkpoints.saver.records import INLINE_MAX_BYTES
from penstock.checkpoints.saver.serialization import encode
from penstock.checkpoints.saver.sql import CheckpointRow, CheckpointSql, ValueRow
from penstock.checkpoints.schema import (
    checkpoint_namespaces,
    checkpoint_values,
    checkpoint_writes,
    checkpoints,
)
from penstock.contracts.errors import IllegalTransition, InvalidInput, UnknownCheckpoint
from penstock.contracts.ids import RunId, ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Where a thread is to begin."""

    of: RunId
    """The run that has written the checkpoint."""
    source_id: ThreadId
    checkpoint_id: str
    target_id: ThreadId
    run_id: RunId
    """The run that goes on from there."""
    edits: Mapping[str, Any]
    """Values that take the place of those of the checkpoint, by their channels."""
    at: datetime


class ForkWriter:
    """Begins threads at checkpoints of others."""

    def __init__(self, sql: CheckpointSql, pruner: CheckpointPruner) -> None:
        """Share the checkpointer's statements."""
        self._sql = sql
        self._pruner = pruner

    def fork(self, connection: Connection, serde: SerializerProtocol, fork: Fork) -> None:
        """Copy the checkpoint, and what it cannot be read without, to an empty thread.

        Raises:
            UnknownCheckpoint: the run has no such checkpoint at the top level of its graph.
            IllegalTransition: a subgraph of it keeps a state of its own, which is of no checkpoint.
            InvalidInput: an edited channel has no value there.
        """
        source = self._sql.find_namespace(connection, fork.source_id, "")
        row = source and self._sql.find_checkpoint(connection, source.id, fork.checkpoint_id)
        if source is None or row is None or json.loads(row.metadata).get("run_id") != fork.of:
            raise UnknownCheckpoint(
                f"run `{fork.of}` has no checkpoint `{fork.checkpoint_id}` to be forked at; it was"
                " forgotten or thinned out, or is one of a subgraph"
            )
        _refuse_stateful_subgraphs(connection, fork)
        target, _ = self._sql.open_namespace(connection, fork.target_id, "")
        kept = self._pruner.needed(connection, serde, source.id, row)
        _copy(connection, source.id, target.id, kept, tip=row.checkpoint_id)
        self._pruner.keep_values(connection, serde, target.id)
        self._begin(connection, serde, target.id, row, fork, has_past=len(kept) > 1)

    def _begin(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        namespace_id: int,
        row: CheckpointRow,
        fork: Fork,
        *,
        has_past: bool,
    ) -> None:
        """Make the copied checkpoint one of the new run, with what was edited."""
        rest, inline, apart = serde.loads_typed((row.body_type, row.body))
        for channel, value in fork.edits.items():
            if channel not in inline and channel not in apart:
                raise InvalidInput(
                    f"`{channel}` has no value at checkpoint `{fork.checkpoint_id}`, so there is"
                    " none to be edited"
                )
            type_, raw = encode(serde, channel, value)
            version = rest["channel_versions"][channel]
            inline.pop(channel, None)
            apart = [each for each in apart if each != channel]
            _drop(connection, namespace_id, channel, version)
            if len(raw) <= INLINE_MAX_BYTES:
                inline[channel] = [type_, raw]
                continue
            apart.append(channel)
            whole = ValueRow(version, None, 0, 0, type_, deltas.pack(raw))
            self._sql.add_value(connection, namespace_id, channel, whole)
        if fork.edits:
            rest = {**rest, "id": str(uuid6(clock_seq=-2)), "ts": fork.at.isoformat()}
        body_type, body = serde.dumps_typed([rest, inline, apart])
        metadata = {**json.loads(row.metadata), "source": "fork", "run_id": fork.run_id}
        cp = checkpoints
        connection.execute(
            delete(cp).where(
                cp.c.namespace_id == namespace_id, cp.c.checkpoint_id == row.checkpoint_id
            )
        )
        self._sql.add_checkpoint(
            connection,
            {
                "namespace_id": namespace_id,
                "checkpoint_id": rest["id"],
                "parent_id": row.parent_id if has_past else None,
                "run_id": fork.run_id,
                "metadata": json.dumps(metadata),
                "body_type": body_type,
                "body": body,
            },
        )


def _refuse_stateful_subgraphs(connection: Connection, fork: Fork) -> None:
    ns = checkpoint_namespaces
    names = connection.execute(
        select(ns.c.checkpoint_ns).where(ns.c.thread_id == fork.source_id, ns.c.checkpoint_ns != "")
    ).scalars()
    # A subgraph that starts afresh with each execution has its id behind a colon.
    stateful = sorted(name for name in names if ":" not in name.rpartition("|")[2])
    if stateful:
        raise IllegalTransition(
            f"run `{fork.of}` cannot be forked: its subgraph `{stateful[0]}` keeps a state from"
            " one execution to the next, and what that was at a checkpoint is not known; start a"
            " new run"
        )


def _copy(connection: Connection, source: int, target: int, kept: list[str], *, tip: str) -> None:
    """Copy checkpoints with their values and writes, but for the writes on the last one."""
    for table in (checkpoint_values, checkpoint_writes, checkpoints):
        names = [c.name for c in table.c if c.name not in {"namespace_id", "seq"}]
        rows = select(literal(target, BigInteger), *(table.c[name] for name in names))
        rows = rows.where(table.c.namespace_id == source)
        if table is not checkpoint_values:
            rows = rows.where(table.c.checkpoint_id.in_(kept))
        if table is checkpoint_writes:
            rows = rows.where(table.c.checkpoint_id != tip)
        if table is checkpoints:
            rows = rows.order_by(table.c.seq)
        connection.execute(insert(table).from_select(["namespace_id", *names], rows))


def _drop(connection: Connection, namespace_id: int, channel: str, version: int) -> None:
    val = checkpoint_values
    connection.execute(
        delete(val).where(
            val.c.namespace_id == namespace_id,
            val.c.channel == channel,
            val.c.version == version,
        )
    )
