"""Reading stored rows back as LangGraph's checkpoints."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Self, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple, DeltaChannelHistory, PendingWrite
from langgraph.checkpoint.serde.base import SerializerProtocol
from sqlalchemy import Connection, func, select

from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.sql import CheckpointRow, CheckpointSql, WriteRow
from penstock.checkpoints.saver.values import Values
from penstock.checkpoints.schema import checkpoint_namespaces, checkpoints

PAGE_ROWS = 64
"""A listing reads so many checkpoints at a time, however long the history is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which checkpoints are to be listed, newest first."""

    thread_id: str | None
    checkpoint_ns: str | None
    checkpoint_id: str | None
    before_id: str | None
    """Only those stored before this one."""
    metadata: Mapping[str, Any]
    """Only those whose metadata holds these values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a listing."""

    found: Sequence[CheckpointTuple]
    next_seq: int | None
    """Where the next page goes on; none after the last one."""


class CheckpointReader:
    """Assembles checkpoints. Its functions take a connection that sees one state."""

    def __init__(self, sql: CheckpointSql, values: Values) -> None:
        """Read what `values` has stored."""
        self._sql = sql
        self._values = values

    def find(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        *,
        thread_id: str,
        checkpoint_ns: str,
        checkpoint_id: str | None,
    ) -> CheckpointTuple | None:
        """Return one checkpoint, or the newest when none is named."""
        namespace = self._sql.find_namespace(connection, thread_id, checkpoint_ns)
        if namespace is None:
            return None
        row = self._sql.find_checkpoint(connection, namespace.id, checkpoint_id)
        if row is None:
            return None
        return self._whole(connection, serde, namespace.id, thread_id, checkpoint_ns, row)

    def page(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        listing: Listing,
        *,
        below_seq: int | None,
    ) -> Page:
        """Return the checkpoints of `listing` among the next `PAGE_ROWS`."""
        ns, cp = checkpoint_namespaces, checkpoints
        statement = (
            select(
                ns.c.id,
                ns.c.thread_id,
                ns.c.checkpoint_ns,
                cp.c.seq,
                cp.c.checkpoint_id,
                cp.c.parent_id,
                cp.c.metadata,
                cp.c.body_type,
                cp.c.body,
            )
            .join(ns, ns.c.id == cp.c.namespace_id)
            .order_by(cp.c.seq.desc())
            .limit(PAGE_ROWS)
        )
        for column, wanted in (
            (ns.c.thread_id, listing.thread_id),
            (ns.c.checkpoint_ns, listing.checkpoint_ns),
            (cp.c.checkpoint_id, listing.checkpoint_id),
        ):
            if wanted is not None:
                statement = statement.where(column == wanted)
        if listing.before_id is not None:
            before = select(func.max(cp.c.seq)).where(cp.c.checkpoint_id == listing.before_id)
            if listing.thread_id is not None:
                before = before.join(ns, ns.c.id == cp.c.namespace_id)
                before = before.where(ns.c.thread_id == listing.thread_id)
            statement = statement.where(cp.c.seq < before.scalar_subquery())
        if below_seq is not None:
            statement = statement.where(cp.c.seq < below_seq)
        rows = connection.execute(statement).fetchall()
        found: list[CheckpointTuple] = []
        for namespace_id, thread_id, checkpoint_ns, *rest in rows:
            row = CheckpointRow(*rest)
            metadata = json.loads(row.metadata)
            if all(metadata.get(key) == value for key, value in listing.metadata.items()):
                found.append(
                    self._whole(connection, serde, namespace_id, thread_id, checkpoint_ns, row)
                )
        more = len(rows) == PAGE_ROWS
        return Page(found=found, next_seq=rows[-1].seq if more else None)

    def history(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        *,
        thread_id: str,
        checkpoint_ns: str,
        checkpoint_id: str | None,
        channels: Sequence[str],
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what each channel's value at a checkpoint is made of.

        That is the value at the nearest ancestor that holds one, and the writes since, oldest
        first. Writes on the checkpoint itself belong to the step after it.
        """
        histories: dict[str, DeltaChannelHistory] = {name: {"writes": []} for name in channels}
        open_channels = set(channels)
        namespace = self._sql.find_namespace(connection, thread_id, checkpoint_ns)
        if namespace is None or not open_channels:
            return histories
        for row in self._ancestors(connection, namespace.id, checkpoint_id):
            since: list[tuple[str, PendingWrite]] = [
                (write.channel, _pending(serde, write))
                for write in self._sql.writes(connection, namespace.id, row.checkpoint_id)
                if write.channel in open_channels
            ]
            for channel, write in reversed(since):
                histories[channel]["writes"].append(write)
            body = _Body.of(serde, row)
            for channel in open_channels & body.channels:
                histories[channel]["seed"] = self._value(
                    connection, serde, namespace.id, body, channel
                )
            open_channels -= body.channels
            if not open_channels:
                break
        for history in histories.values():
            history["writes"].reverse()
        return histories

    def stored_apart(
        self, serde: SerializerProtocol, row: CheckpointRow
    ) -> Sequence[tuple[str, int]]:
        """Return channel and version of each value the checkpoint keeps outside its row."""
        body = _Body.of(serde, row)
        return [(channel, body.version(channel)) for channel in body.apart]

    def held(self, serde: SerializerProtocol, row: CheckpointRow) -> Set[str]:
        """Return the channels whose value the checkpoint has, in its row or apart."""
        return _Body.of(serde, row).channels

    def _ancestors(
        self, connection: Connection, namespace_id: int, checkpoint_id: str | None
    ) -> Iterator[CheckpointRow]:
        """Return the checkpoints below one, the nearest first."""
        row = self._sql.find_checkpoint(connection, namespace_id, checkpoint_id)
        # A checkpoint that is stored again under a descendant would lead round in a circle.
        seen: set[str] = set()
        while row is not None and row.parent_id is not None and row.parent_id not in seen:
            seen.add(row.checkpoint_id)
            row = self._sql.find_checkpoint(connection, namespace_id, row.parent_id)
            if row is not None:
                yield row

    def _whole(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        namespace_id: int,
        thread_id: str,
        checkpoint_ns: str,
        row: CheckpointRow,
    ) -> CheckpointTuple:
        body = _Body.of(serde, row)
        values = {
            channel: self._value(connection, serde, namespace_id, body, channel)
            for channel in (*body.inline, *body.apart)
        }
        checkpoint = cast("Checkpoint", {**body.rest, "channel_values": values})
        writes = self._sql.writes(connection, namespace_id, row.checkpoint_id)

        def config_of(checkpoint_id: str) -> RunnableConfig:
            return {
                "configurable": {
                    "thread_id": thread_id,
                    "checkpoint_ns": checkpoint_ns,
                    "checkpoint_id": checkpoint_id,
                },
            }

        return CheckpointTuple(
            config=config_of(row.checkpoint_id),
            checkpoint=checkpoint,
            metadata=json.loads(row.metadata),
            parent_config=None if row.parent_id is None else config_of(row.parent_id),
            pending_writes=[_pending(serde, write) for write in writes],
        )

    def _value(
        self,
        connection: Connection,
        serde: SerializerProtocol,
        namespace_id: int,
        body: "_Body",
        channel: str,
    ) -> Any:
        if channel in body.inline:
            type_, raw = body.inline[channel]
            return serde.loads_typed((type_, raw))
        version = body.version(channel)
        return serde.loads_typed(
            self._values.load(connection, namespace_id, channel, version=version)
        )


@dataclass(frozen=True, slots=True)
class _Body:
    """What stands in a checkpoint's own row."""

    rest: Mapping[str, Any]
    """LangGraph's checkpoint without its values."""
    inline: Mapping[str, tuple[str, bytes]]
    """Type and bytes of the small values."""
    apart: Sequence[str]
    """The channels whose values are stored by version."""

    @classmethod
    def of(cls, serde: SerializerProtocol, row: CheckpointRow) -> Self:
        return cls(*serde.loads_typed((row.body_type, row.body)))

    @property
    def channels(self) -> Set[str]:
        return {*self.inline, *self.apart}

    def version(self, channel: str) -> int:
        return self.rest["channel_versions"][channel]


def _pending(serde: SerializerProtocol, write: WriteRow) -> PendingWrite:
    value = serde.loads_typed((write.type, deltas.unpack(write.data)))
    return write.task_id, write.channel, value
