"""LangGraph's checkpointer on the store: fenced, one durable commit a step, growing linearly."""

import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
)
from sqlalchemy import Connection

from penstock.checkpoints.fence import FenceCheck
from penstock.checkpoints.saver.changes import CheckpointChanges
from penstock.checkpoints.saver.early_writes import EarlyWrites
from penstock.checkpoints.saver.forks import Fork
from penstock.checkpoints.saver.reader import CheckpointReader, Listing, Page
from penstock.checkpoints.saver.records import CheckpointRecord, Recorder, WritesRecord, target_of
from penstock.checkpoints.saver.serialization import strict_serializer
from penstock.checkpoints.saver.sql import CheckpointSql
from penstock.checkpoints.saver.values import Values
from penstock.checkpoints.store import Store
from penstock.checkpoints.writer import Change

_COUNTER_SHIFT = 32


class Checkpointer(BaseCheckpointSaver[int]):
    """Keeps the state of LangGraph's threads in the store.

    A checkpoint is acknowledged when it is durable. A thread that a run owns is written under
    that run's fence (`fence.fenced`), or not at all: a worker that has lost its lease gets
    `LeaseLost`, anybody else `ThreadBusy`. One checkpointer serves a whole process; LangGraph
    makes shallow copies of it, which share all but the serializer.
    """

    def __init__(self, store: Store) -> None:
        """Keep checkpoints in `store`.

        Raises:
            UnsafeDeserialization: LangGraph was imported without its strict mode.
        """
        super().__init__(serde=strict_serializer())
        self._store = store
        self._sql = CheckpointSql(store.dialect)
        values = Values(self._sql)
        self._reading = CheckpointReader(self._sql, values)
        self._recorder = Recorder()
        self._early_writes = EarlyWrites()
        self._changes = CheckpointChanges(
            sql=self._sql,
            values=values,
            reading=self._reading,
            early_writes=self._early_writes,
            fences=FenceCheck(store.dialect),
        )
        # Seeded in each process, so that no two give the same version to different values.
        self._random = random.Random(secrets.randbits(128))  # noqa: S311  (apart, not secret)

    def get_next_version(
        self,
        current: int | None,
        channel: None,  # noqa: ARG002  (LangGraph's signature)
    ) -> int:
        """Return a version above `current` that no other branch of the thread will give."""
        counter = 0 if current is None else current >> _COUNTER_SHIFT
        return (counter + 1) << _COUNTER_SHIFT | self._random.getrandbits(_COUNTER_SHIFT)

    # ---- writing ----

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; it is durable when this returns."""
        record = self._recorder.checkpoint(self.serde, config, checkpoint, metadata, new_versions)
        await self._store.write(
            partial(self._changes.add_checkpoint, record),
            on_failure=self._changes.when_undone(record.target),
        )
        return _config_of(record)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; it is durable when this returns."""
        record = self._recorder.checkpoint(self.serde, config, checkpoint, metadata, new_versions)
        self._store.write_blocking(
            partial(self._changes.add_checkpoint, record),
            on_failure=self._changes.when_undone(record.target),
        )
        return _config_of(record)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote; ordinary results are durable no later than the next put."""
        record = self._recorder.writes(self.serde, config, writes, task_id, task_path)
        if record.early:
            self._post(record)
        else:
            await self._store.write(
                partial(self._changes.add_writes, record),
                on_failure=self._changes.when_undone(record.target),
            )

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote; ordinary results are durable no later than the next put."""
        record = self._recorder.writes(self.serde, config, writes, task_id, task_path)
        if record.early:
            self._post(record)
        else:
            self._store.write_blocking(
                partial(self._changes.add_writes, record),
                on_failure=self._changes.when_undone(record.target),
            )

    # ---- reading ----

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the thread's newest."""
        await self._early_writes.settle(target_of(config))
        return await self._store.read(self._find(config))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the thread's newest."""
        self._early_writes.settle_blocking(target_of(config))
        return self._store.read_blocking(self._find(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """List checkpoints, newest first, those with `filter` in their metadata."""
        await self._early_writes.settle(None)
        listing, left = _listing(config, filter, before), limit
        below: int | None = None
        while left is None or left > 0:
            page = await self._store.read(self._page(listing, below))
            for found in page.found[:left]:
                yield found
            left = None if left is None else left - len(page.found)
            if (below := page.next_seq) is None:
                return

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """List checkpoints, newest first, those with `filter` in their metadata."""
        self._early_writes.settle_blocking(None)
        listing, left = _listing(config, filter, before), limit
        below: int | None = None
        while left is None or left > 0:
            page = self._store.read_blocking(self._page(listing, below))
            yield from page.found[:left]
            left = None if left is None else left - len(page.found)
            if (below := page.next_seq) is None:
                return

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the value of each `DeltaChannel` is made of at a checkpoint."""
        await self._early_writes.settle(target_of(config))
        return await self._store.read(self._history(config, channels))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the value of each `DeltaChannel` is made of at a checkpoint."""
        self._early_writes.settle_blocking(target_of(config))
        return self._store.read_blocking(self._history(config, channels))

    # ---- keeping less ----

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all of a thread."""
        await self._store.write(partial(self._changes.delete, thread_id))

    def delete_thread(self, thread_id: str) -> None:
        """Delete all of a thread."""
        self._store.write_blocking(partial(self._changes.delete, thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that these runs wrote."""
        await self._store.write(partial(self._changes.drop_runs, self.serde, run_ids))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that these runs wrote."""
        self._store.write_blocking(partial(self._changes.drop_runs, self.serde, run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with its whole history to a new thread."""
        await self._early_writes.settle(None)
        await self._store.write(partial(self._changes.copy, source_thread_id, target_thread_id))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with its whole history to a new thread."""
        self._early_writes.settle_blocking(None)
        self._store.write_blocking(partial(self._changes.copy, source_thread_id, target_thread_id))

    async def settled(self) -> None:
        """Wait until all that was answered before it was durable is stored."""
        await self._early_writes.settle(None)

    def fork(self, connection: Connection, fork: Fork) -> None:
        """Begin a thread at a checkpoint of another, in the writer's thread; see `Forking.fork`.

        What the other has done, the new one does not do again unasked.

        Raises:
            UnknownCheckpoint, IllegalTransition, InvalidInput: it cannot be; nothing was copied.
            UnstorableValue: an edited value has no serialised form.
        """
        self._changes.fork(self.serde, fork, connection)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep only the newest checkpoint of these threads, or with `delete` none."""
        for change in self._prunes(thread_ids, strategy):
            await self._store.write(change)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep only the newest checkpoint of these threads, or with `delete` none."""
        for change in self._prunes(thread_ids, strategy):
            self._store.write_blocking(change)

    # ---- changes and queries ----

    def _post(self, record: WritesRecord) -> None:
        change = partial(self._changes.add_writes, record)
        undone = self._changes.when_undone(record.target, is_reported=False)
        submit = partial(self._store.post, change, on_failure=undone)
        self._early_writes.answer_early(record.target, submit)

    def _prunes(self, thread_ids: Sequence[str], strategy: str) -> Sequence[Change[None]]:
        if strategy == "delete":
            return [partial(self._changes.delete, thread_id) for thread_id in thread_ids]
        if strategy == "keep_latest":
            return [
                partial(self._changes.keep_latest, self.serde, thread_id)
                for thread_id in thread_ids
            ]
        msg = f"`{strategy}` is not a way to prune; use `keep_latest` or `delete`"
        raise ValueError(msg)

    def _find(self, config: RunnableConfig) -> Callable[[Connection], CheckpointTuple | None]:
        target = target_of(config)
        return lambda connection: self._reading.find(
            connection,
            self.serde,
            thread_id=target.thread_id,
            checkpoint_ns=target.checkpoint_ns,
            checkpoint_id=get_checkpoint_id(config),
        )

    def _history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Callable[[Connection], Mapping[str, DeltaChannelHistory]]:
        target = target_of(config)
        return lambda connection: self._reading.history(
            connection,
            self.serde,
            thread_id=target.thread_id,
            checkpoint_ns=target.checkpoint_ns,
            checkpoint_id=get_checkpoint_id(config),
            channels=channels,
        )

    def _page(self, listing: Listing, below_seq: int | None) -> Callable[[Connection], Page]:
        return lambda connection: self._reading.page(
            connection, self.serde, listing, below_seq=below_seq
        )


def _config_of(record: CheckpointRecord) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": record.target.thread_id,
            "checkpoint_ns": record.target.checkpoint_ns,
            "checkpoint_id": record.row["checkpoint_id"],
        },
    }


def _listing(
    config: RunnableConfig | None,
    metadata: Mapping[str, Any] | None,
    before: RunnableConfig | None,
) -> Listing:
    place = {} if config is None else config.get("configurable", {})
    return Listing(
        thread_id=None if "thread_id" not in place else str(place["thread_id"]),
        checkpoint_ns=place.get("checkpoint_ns"),
        checkpoint_id=place.get("checkpoint_id"),
        before_id=None if before is None else get_checkpoint_id(before),
        metadata=metadata or {},
    )
