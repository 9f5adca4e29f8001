"""The statements of the checkpointer, each compiled once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Integer, bindparam, literal_column, select

from penstock.checkpoints.saver.deltas import KEYS, LINKS
from penstock.checkpoints.schema import (
    checkpoint_namespaces,
    checkpoint_values,
    checkpoint_writes,
    checkpoints,
)
from penstock.checkpoints.statements import Statement, insert_or_keep, insert_or_replace


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where the checkpoints of one graph on one thread are kept."""

    id: int
    generation: int
    """Rises whenever stored versions are taken away."""

    @property
    def key(self) -> tuple[int, int]:
        """What a memory of this namespace is valid for."""
        return self.id, self.generation


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One stored checkpoint, its values still apart."""

    seq: int
    checkpoint_id: str
    parent_id: str | None
    metadata: str
    body_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One stored version of a channel."""

    version: int
    base: int | None
    link_count: int
    key_count: int
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class WriteRow:
    """One write of a task that has finished since its checkpoint."""

    task_id: str
    idx: int
    task_path: str
    channel: str
    type: str
    data: bytes


class CheckpointSql:
    """The hot statements for one dialect, as functions that take a connection first."""

    def __init__(self, dialect: Dialect) -> None:
        """Compile them."""
        ns, cp, val, wr = checkpoint_namespaces, checkpoints, checkpoint_values, checkpoint_writes

        def compiled(clause: Any, *columns: str) -> Statement:
            return Statement(clause, dialect, columns=columns or None)

        found = select(ns.c.id, ns.c.generation).where(
            ns.c.thread_id == bindparam("thread_id"),
            ns.c.checkpoint_ns == bindparam("checkpoint_ns"),
        )
        self._find_namespace = compiled(found)
        # Shared, so that nobody takes versions away while one is being built on them.
        self._hold_namespace = compiled(found.with_for_update(read=True))
        self._add_namespace = compiled(
            insert_or_keep(dialect, ns).inline(), "thread_id", "checkpoint_ns", "generation"
        )

        in_cp = cp.c.namespace_id == bindparam("namespace_id")
        row = select(
            cp.c.seq, cp.c.checkpoint_id, cp.c.parent_id, cp.c.metadata, cp.c.body_type, cp.c.body
        )
        self._newest = compiled(
            row.where(in_cp).order_by(cp.c.seq.desc()).limit(literal_column("1", Integer))
        )
        self._by_id = compiled(row.where(in_cp, cp.c.checkpoint_id == bindparam("checkpoint_id")))
        self._add_checkpoint = compiled(
            insert_or_replace(dialect, cp, key=("namespace_id", "checkpoint_id")).inline(),
            *(column.name for column in cp.c if column.name != "seq"),
        )

        in_val = (
            val.c.namespace_id == bindparam("namespace_id"),
            val.c.channel == bindparam("channel"),
        )
        self._newest_version = compiled(
            select(val.c.version)
            .where(*in_val)
            .order_by(val.c.version.desc())
            .limit(literal_column("1", Integer))
        )
        self._has_version = compiled(
            select(literal_column("1", Integer)).where(
                *in_val, val.c.version == bindparam("version")
            )
        )
        self._add_value = compiled(
            insert_or_keep(dialect, val).inline(), *(column.name for column in val.c)
        )
        of_version = (val.c.version, val.c.base_version, val.c.link_count, val.c.key_count)
        top = (
            select(literal_column("0", Integer).label("depth"), *of_version, val.c.type, val.c.data)
            .where(*in_val, val.c.version == bindparam("version"))
            .cte("chain", recursive=True)
        )
        below = val.alias("below")
        chain = top.union_all(
            select(
                top.c.depth + literal_column("1", Integer),
                below.c.version,
                below.c.base_version,
                below.c.link_count,
                below.c.key_count,
                below.c.type,
                below.c.data,
            ).where(
                below.c.namespace_id == bindparam("namespace_id"),
                below.c.channel == bindparam("channel"),
                below.c.version == top.c.base_version,
                # A store that was damaged may lead round in a circle.
                top.c.depth < literal_column(str(LINKS + KEYS), Integer),
            )
        )
        self._chain = compiled(
            select(
                chain.c.version,
                chain.c.base_version,
                chain.c.link_count,
                chain.c.key_count,
                chain.c.type,
                chain.c.data,
            ).order_by(chain.c.depth.desc())
        )

        key = ("namespace_id", "checkpoint_id", "task_id", "idx")
        columns = [column.name for column in wr.c]
        self._keep_write = compiled(insert_or_keep(dialect, wr).inline(), *columns)
        self._replace_write = compiled(insert_or_replace(dialect, wr, key=key).inline(), *columns)
        self._writes = compiled(
            select(wr.c.task_id, wr.c.idx, wr.c.task_path, wr.c.channel, wr.c.type, wr.c.data)
            .where(
                wr.c.namespace_id == bindparam("namespace_id"),
                wr.c.checkpoint_id == bindparam("checkpoint_id"),
            )
            .order_by(wr.c.task_path, wr.c.task_id, wr.c.idx)
        )

    # ---- namespaces ----

    def find_namespace(
        self, connection: Connection, thread_id: str, checkpoint_ns: str
    ) -> Namespace | None:
        """Return the namespace, if anything was ever stored in it."""
        params = {"thread_id": thread_id, "checkpoint_ns": checkpoint_ns}
        row = self._find_namespace.execute(connection, params).fetchone()
        return None if row is None else Namespace(*row)

    def open_namespace(
        self, connection: Connection, thread_id: str, checkpoint_ns: str
    ) -> tuple[Namespace, bool]:
        """Return the namespace for writing, and whether it was made just now."""
        params = {"thread_id": thread_id, "checkpoint_ns": checkpoint_ns}
        row = self._hold_namespace.execute(connection, params).fetchone()
        if row is not None:
            return Namespace(*row), False
        self._add_namespace.execute(connection, {**params, "generation": 0})
        row = self._hold_namespace.execute(connection, params).fetchone()
        return Namespace(*row), True

    # ---- checkpoints ----

    def find_checkpoint(
        self, connection: Connection, namespace_id: int, checkpoint_id: str | None
    ) -> CheckpointRow | None:
        """Return one checkpoint, or the newest when none is named."""
        params: dict[str, int | str] = {"namespace_id": namespace_id}
        if checkpoint_id is None:
            row = self._newest.execute(connection, params).fetchone()
        else:
            params["checkpoint_id"] = checkpoint_id
            row = self._by_id.execute(connection, params).fetchone()
        return None if row is None else CheckpointRow(*row)

    def add_checkpoint(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """Store a checkpoint, in the place of one with the same id."""
        self._add_checkpoint.execute(connection, row)

    # ---- values ----

    def newest_version(self, connection: Connection, namespace_id: int, channel: str) -> int | None:
        """Return the newest stored version of a channel."""
        params = {"namespace_id": namespace_id, "channel": channel}
        row = self._newest_version.execute(connection, params).fetchone()
        return None if row is None else row[0]

    def has_version(
        self, connection: Connection, namespace_id: int, channel: str, version: int
    ) -> bool:
        """Tell whether this version of a channel is stored."""
        params = {"namespace_id": namespace_id, "channel": channel, "version": version}
        return self._has_version.execute(connection, params).fetchone() is not None

    def add_value(
        self, connection: Connection, namespace_id: int, channel: str, row: ValueRow
    ) -> bool:
        """Store one version of a channel, unless it is there; tell whether it was stored."""
        added = self._add_value.execute(
            connection,
            {
                "namespace_id": namespace_id,
                "channel": channel,
                "version": row.version,
                "base_version": row.base,
                "link_count": row.link_count,
                "key_count": row.key_count,
                "type": row.type,
                "data": row.data,
            },
        )
        return added.rowcount == 1

    def chain(
        self, connection: Connection, namespace_id: int, channel: str, version: int
    ) -> Sequence[ValueRow]:
        """Return what a version is made of: the whole one first, the version itself last."""
        params = {"namespace_id": namespace_id, "channel": channel, "version": version}
        return [ValueRow(*row) for row in self._chain.execute(connection, params).fetchall()]

    # ---- writes ----

    def add_writes(
        self, connection: Connection, rows: Sequence[Mapping[str, Any]], *, replace: bool
    ) -> None:
        """Store the writes of a task; ordinary ones are kept as they were stored first."""
        statement = self._replace_write if replace else self._keep_write
        statement.execute_many(connection, rows)

    def writes(
        self, connection: Connection, namespace_id: int, checkpoint_id: str
    ) -> Iterator[WriteRow]:
        """Return the writes on a checkpoint in the order in which they apply."""
        params = {"namespace_id": namespace_id, "checkpoint_id": checkpoint_id}
        for row in self._writes.execute(connection, params).fetchall():
            yield WriteRow(*row)
