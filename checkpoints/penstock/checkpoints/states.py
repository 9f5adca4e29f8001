"""A run's states, for people to look at: its checkpoints, and what each of them holds.

They are read without the run's graph, and nothing in them is executed: a type that only the project
knows is shown as the plain data that it was made of, and what JSON cannot express as a text.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

from langgraph.checkpoint.serde.base import SerializerProtocol
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from sqlalchemy import Connection, Dialect, select

from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.pruner import DELTA_COUNTERS
from penstock.checkpoints.saver.reader import CheckpointReader
from penstock.checkpoints.saver.serialization import strict_serializer
from penstock.checkpoints.saver.sql import CheckpointSql
from penstock.checkpoints.saver.values import Values
from penstock.checkpoints.schema import checkpoint_namespaces, checkpoint_writes, checkpoints
from penstock.contracts.checkpoint import (
    ChannelWrite,
    CheckpointInfo,
    CheckpointState,
    NodeExecution,
)
from penstock.contracts.errors import UnknownCheckpoint
from penstock.contracts.ids import RunId, ThreadId

DEPTH_LIMIT = 60
"""Deeper values are shown as Python's `repr`; JSON of this depth can be parsed everywhere."""

BYTES_SHOWN = 60

SENDS = "__pregel_tasks"
"""LangGraph's channel of `Send`s to nodes."""

_SENT = "~__pregel_push, "
"""How the path of an execution by `Send` begins; the number of the `Send` follows."""

_OWN = ("__", "branch:")
"""The prefixes of LangGraph's own channels."""


def jsonable(value: object, *, depth: int = 0) -> Any:
    """Return a value in JSON's types; a message as its content and its id."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if depth > DEPTH_LIMIT:
        return repr(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes: {bytes(value[:BYTES_SHOWN])!r}"
    if isinstance(value, BaseModel):
        return _of_model(value, depth)
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return {str(name): jsonable(part, depth=depth + 1) for name, part in named.items()}
    if isinstance(value, Set):
        parts = [jsonable(part, depth=depth + 1) for part in cast("Set[object]", value)]
        return sorted(parts, key=repr)
    if isinstance(value, Sequence):
        return [jsonable(part, depth=depth + 1) for part in cast("Sequence[object]", value)]
    return to_jsonable_python(value, fallback=repr, inf_nan_mode="strings")


def points(connection: Connection, run_id: RunId, *, limit: int) -> Sequence[CheckpointInfo]:
    """Return the newest checkpoints of a run, in the order in which they were stored."""
    ns, cp, wr = checkpoint_namespaces, checkpoints, checkpoint_writes
    of_run = cp.c.run_id == run_id
    left: defaultdict[tuple[int, str], dict[str, None]] = defaultdict(dict)
    tasks = (
        select(wr.c.namespace_id, wr.c.checkpoint_id, wr.c.task_id)
        .join(
            cp,
            (cp.c.namespace_id == wr.c.namespace_id) & (cp.c.checkpoint_id == wr.c.checkpoint_id),
        )
        .where(of_run)
        .order_by(wr.c.task_path, wr.c.task_id)
    )
    for namespace_id, checkpoint_id, task_id in connection.execute(tasks):
        left[namespace_id, checkpoint_id][task_id] = None
    newest = (
        select(
            *(ns.c.id, ns.c.thread_id, ns.c.checkpoint_ns),
            *(cp.c.checkpoint_id, cp.c.parent_id, cp.c.metadata, cp.c.body_type, cp.c.body),
        )
        .join(ns, ns.c.id == cp.c.namespace_id)
        .where(of_run)
        .order_by(cp.c.seq.desc())
        .limit(limit)
    )
    reader = _Reader.on(connection)
    found = [
        reader.point(run_id, row, tuple(left[row.id, row.checkpoint_id]))
        for row in connection.execute(newest)
    ]
    return found[::-1]


def state(connection: Connection, point: CheckpointInfo) -> CheckpointState:
    """Return what a checkpoint holds.

    Raises:
        CheckpointCorrupt: it cannot be put together.
        UnknownCheckpoint: it is not there any more.
    """
    return _Reader.on(connection).state(connection, point.thread_id, point.namespace, point.id)


def state_before(connection: Connection, point: CheckpointInfo) -> CheckpointState:
    """Return what the checkpoint before another holds; nothing where there is none.

    Raises:
        CheckpointCorrupt: it cannot be put together.
    """
    if point.parent_id is None:
        return CheckpointState(values={})
    reader = _Reader.on(connection)
    try:
        return reader.state(connection, point.thread_id, point.namespace, point.parent_id)
    except UnknownCheckpoint:
        # It was thinned out, or is of a thread that this one was copied from.
        return CheckpointState(values={})


def execution(connection: Connection, point: CheckpointInfo, task_id: str) -> NodeExecution:
    """Return what an execution was sent that began at a checkpoint, and what it has written.

    Raises:
        CheckpointCorrupt: the checkpoint cannot be put together.
    """
    return _Reader.on(connection).execution(connection, point, task_id)


def _of_model(model: BaseModel, depth: int) -> dict[str, Any]:
    """Return the fields of a model that were set; of a message, what kind it is as well."""
    fields = {
        name: jsonable(part, depth=depth + 1)
        for name, part in model.model_dump(exclude_defaults=True).items()
    }
    kind = getattr(model, "type", None)
    return {"type": kind, **fields} if isinstance(kind, str) else fields


@dataclass(frozen=True, slots=True)
class _Reader:
    sql: CheckpointSql
    reading: CheckpointReader
    serde: SerializerProtocol

    @classmethod
    def on(cls, connection: Connection) -> Self:
        dialect = connection.dialect
        found: Any = _readers.get(dialect)
        if found is None:
            sql = CheckpointSql(dialect)
            found = _readers[dialect] = cls(
                sql, CheckpointReader(sql, Values(sql)), strict_serializer()
            )
        return found

    def point(self, run_id: RunId, row: Any, tasks: tuple[str, ...]) -> CheckpointInfo:
        metadata = json.loads(row.metadata)
        rest, *_ = self.serde.loads_typed((row.body_type, row.body))
        return CheckpointInfo(
            id=row.checkpoint_id,
            parent_id=row.parent_id,
            thread_id=ThreadId(row.thread_id),
            namespace=row.checkpoint_ns,
            run_id=run_id,
            number=int(metadata.get("step", 0)),
            source=str(metadata.get("source", "loop")),
            at=datetime.fromisoformat(rest["ts"]),
            tasks=tasks,
        )

    def state(
        self, connection: Connection, thread_id: ThreadId, namespace: str, checkpoint_id: str
    ) -> CheckpointState:
        found = self._find(connection, thread_id, namespace, checkpoint_id)
        if found is None:
            raise UnknownCheckpoint(
                f"thread `{thread_id}` has no checkpoint `{checkpoint_id}`; it was forgotten or"
                " thinned out, or is of another run"
            )
        metadata: Any = found.metadata
        return CheckpointState(
            values={
                name: jsonable(value)
                for name, value in sorted(found.checkpoint["channel_values"].items())
                if not name.startswith(_OWN)
            },
            elsewhere=tuple(sorted(metadata.get(DELTA_COUNTERS) or ())),
        )

    def execution(
        self, connection: Connection, point: CheckpointInfo, task_id: str
    ) -> NodeExecution:
        namespace = self.sql.find_namespace(connection, point.thread_id, point.namespace)
        if namespace is None:
            return NodeExecution(was_sent=False, sent=None, written=())
        rows = [
            row
            for row in self.sql.writes(connection, namespace.id, point.id)
            if row.task_id == task_id
        ]
        written = [
            ChannelWrite(
                channel=row.channel,
                value=jsonable(self.serde.loads_typed((row.type, deltas.unpack(row.data)))),
            )
            for row in rows
            if not row.channel.startswith(_OWN)
        ]
        path = rows[0].task_path if rows else ""
        if not path.startswith(_SENT):
            return NodeExecution(was_sent=False, sent=None, written=written)
        found = self._find(connection, point.thread_id, point.namespace, point.id)
        sends: Any = [] if found is None else found.checkpoint["channel_values"].get(SENDS, [])
        number = path.removeprefix(_SENT).partition(",")[0]
        sent = sends[int(number)].arg if number.isdigit() and int(number) < len(sends) else None
        return NodeExecution(was_sent=True, sent=jsonable(sent), written=written)

    def _find(
        self, connection: Connection, thread_id: ThreadId, namespace: str, checkpoint_id: str
    ) -> Any:
        return self.reading.find(
            connection,
            self.serde,
            thread_id=thread_id,
            checkpoint_ns=namespace,
            checkpoint_id=checkpoint_id,
        )


_readers: WeakKeyDictionary[Dialect, _Reader] = WeakKeyDictionary()
