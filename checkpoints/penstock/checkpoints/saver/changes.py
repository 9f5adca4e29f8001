"""The checkpointer's changes to the store, each fenced in its own transaction."""

from collections.abc import Callable, Sequence

from langgraph.checkpoint.serde.base import SerializerProtocol
from sqlalchemy import Connection, select

from penstock.checkpoints import ledger
from penstock.checkpoints.fence import FenceCheck
from penstock.checkpoints.saver.early_writes import EarlyWrites, WriteTarget
from penstock.checkpoints.saver.forks import Fork, ForkWriter
from penstock.checkpoints.saver.pruner import CheckpointPruner
from penstock.checkpoints.saver.reader import CheckpointReader
from penstock.checkpoints.saver.records import CheckpointRecord, WritesRecord
from penstock.checkpoints.saver.sql import CheckpointSql, Namespace
from penstock.checkpoints.saver.threads import copy_thread, delete_thread
from penstock.checkpoints.saver.values import Values
from penstock.checkpoints.schema import checkpoint_namespaces, checkpoints
from penstock.contracts.errors import StoreError
from penstock.contracts.ids import ThreadId


class CheckpointChanges:
    """Writes and deletes checkpoints in the writer's thread; the connection comes last."""

    def __init__(
        self,
        *,
        sql: CheckpointSql,
        values: Values,
        reading: CheckpointReader,
        early_writes: EarlyWrites,
        fences: FenceCheck,
    ) -> None:
        """Share what the checkpointer reads with."""
        self._sql = sql
        self._values = values
        self._early_writes = early_writes
        self._fences = fences
        self._pruner = CheckpointPruner(sql, values, reading)
        self._forks = ForkWriter(sql, self._pruner)

    def add_checkpoint(self, record: CheckpointRecord, connection: Connection) -> None:
        """Store a checkpoint and the values that are new with it."""
        namespace, is_first = self._enter(connection, record.target)
        try:
            for value in record.values:
                self._values.add(connection, namespace, value, is_first=is_first)
            for channel, version in record.required:
                self._values.require(connection, namespace, channel, version=version)
            row = {**record.row, "namespace_id": namespace.id}
            self._sql.add_checkpoint(connection, row)
        except BaseException:
            self._values.newest.drop(namespace.key)
            raise

    def add_writes(self, record: WritesRecord, connection: Connection) -> None:
        """Store what a task wrote."""
        namespace, _ = self._enter(connection, record.target)
        rows = [{**row, "namespace_id": namespace.id} for row in record.rows]
        self._sql.add_writes(connection, rows, replace=record.replace)

    def when_undone(
        self, target: WriteTarget, *, is_reported: bool = True
    ) -> Callable[[BaseException], None]:
        """Return the callback for a change to `target` that is undone.

        `is_reported` says whether the caller waits for the change and receives the failure.
        """

        def record(failure: BaseException) -> None:
            if isinstance(failure, StoreError):
                # Perhaps the commit failed: no version that was part of it may be built upon.
                self._values.newest.clear()
            self._early_writes.record_loss(target, failure, is_reported=is_reported)

        return record

    def delete(self, thread_id: str, connection: Connection) -> None:
        """Delete all of a thread."""
        self._fences.check(connection, thread_id=thread_id, fence=None)
        delete_thread(connection, thread_id)
        ledger.forget_lineage(connection, ThreadId(thread_id))

    def copy(self, source_id: str, target_id: str, connection: Connection) -> None:
        """Copy all of a thread to a new one."""
        self._fences.check(connection, thread_id=target_id, fence=None)
        copy_thread(connection, source_id, target_id)
        ledger.record_copy(connection, ThreadId(target_id), of=ThreadId(source_id))

    def fork(self, serde: SerializerProtocol, fork: Fork, connection: Connection) -> None:
        """Begin a thread at a checkpoint of another, whose lineage it shares."""
        self._fences.check(connection, thread_id=fork.target_id, fence=None)
        self._forks.fork(connection, serde, fork)
        ledger.record_copy(connection, fork.target_id, of=fork.source_id)

    def keep_latest(
        self, serde: SerializerProtocol, thread_id: str, connection: Connection
    ) -> None:
        """Keep only the newest checkpoint of a thread's namespaces."""
        self._fences.check(connection, thread_id=thread_id, fence=None)
        self._pruner.keep_latest(connection, serde, thread_id)

    def drop_runs(
        self, serde: SerializerProtocol, run_ids: Sequence[str], connection: Connection
    ) -> None:
        """Delete the checkpoints that these runs have written."""
        ns, cp = checkpoint_namespaces, checkpoints
        touched = select(ns.c.thread_id).join(cp, cp.c.namespace_id == ns.c.id)
        touched = touched.where(cp.c.run_id.in_(run_ids)).distinct()
        for thread_id in connection.execute(touched).scalars():
            self._fences.check(connection, thread_id=thread_id, fence=None)
        self._pruner.drop_runs(connection, serde, run_ids)

    def _enter(self, connection: Connection, target: WriteTarget) -> tuple[Namespace, bool]:
        self._early_writes.check(target)
        self._fences.check(connection, thread_id=target.thread_id, fence=target.fence)
        return self._sql.open_namespace(connection, target.thread_id, target.checkpoint_ns)
