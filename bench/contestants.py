"""Who is measured: the checkpointers, each on a fresh database, all driven the same way."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from bench.disk import NotComparable, Tally
from bench.graphs import Saver
from penstock.checkpoints.database import Database
from penstock.checkpoints.migration import migrate, require_current
from penstock.checkpoints.saver.checkpointer import Checkpointer
from penstock.checkpoints.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A contestant that is ready to work."""

    saver: Saver | None
    """The checkpointer; none for the graph alone."""
    commit_count: Callable[[], int]
    """How many durable commits it has made so far."""


Open = Callable[[Path, Tally], AbstractAsyncContextManager[Opened]]
"""Opens a contestant on the database at a path, its connections reporting to a tally."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One way to keep checkpoints, or to keep none."""

    name: str
    open: Open
    on_sqlite: bool = True
    """Whether it writes to SQLite, and so to the tally."""


@asynccontextmanager
async def _nothing(_path: Path, _tally: Tally) -> AsyncGenerator[Opened]:
    yield Opened(saver=None, commit_count=lambda: 0)


@asynccontextmanager
async def _memory(_path: Path, _tally: Tally) -> AsyncGenerator[Opened]:
    yield Opened(saver=InMemorySaver(), commit_count=lambda: 0)


@asynccontextmanager
async def _async_sqlite(path: Path, tally: Tally) -> AsyncGenerator[Opened]:
    # What `AsyncSqliteSaver.from_conn_string` does, which takes no factory.
    async with aiosqlite.connect(path, factory=tally.connection_class()) as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        yield Opened(saver=saver, commit_count=lambda: tally.commit_count)


@asynccontextmanager
async def _threaded_sqlite(path: Path, tally: Tally) -> AsyncGenerator[Opened]:
    # What `SqliteSaver.from_conn_string` does, which takes no factory.
    factory = tally.connection_class()
    connection = sqlite3.connect(path, check_same_thread=False, factory=factory)
    with closing(connection), ThreadPoolExecutor(1) as worker:
        saver = ThreadedSqliteSaver(connection, worker)
        saver.setup()
        yield Opened(saver=saver, commit_count=lambda: tally.commit_count)


@asynccontextmanager
async def _penstock(path: Path, tally: Tally) -> AsyncGenerator[Opened]:
    with _store(path, tally) as store:

        def commit_count() -> int:
            if store.commit_count != tally.commit_count:
                msg = (
                    f"the store says it committed {store.commit_count} times, its connections"
                    f" {tally.commit_count} times"
                )
                raise NotComparable(msg)
            return store.commit_count

        yield Opened(saver=Checkpointer(store), commit_count=commit_count)


def _store(path: Path, tally: Tally) -> Store:
    url = f"sqlite:///{path}"
    if not path.exists():
        migrate(url)
    # What `Store.open` does, with a word to the engine before it connects.
    database = Database(url)
    tally.watch(database.engine)
    require_current(database)
    return Store(database)


def penstock_on_postgres(url: str) -> Contestant:
    """Return Penstock on the PostgreSQL database at `url`, which it may fill."""

    @asynccontextmanager
    async def open_(_path: Path, _tally: Tally) -> AsyncGenerator[Opened]:
        migrate(url)
        with Store.open(url) as store:
            saver = Checkpointer(store)
            yield Opened(saver=saver, commit_count=lambda: store.commit_count)

    return Contestant(name="Penstock on PostgreSQL", open=open_, on_sqlite=False)


class ThreadedSqliteSaver(SqliteSaver):
    """The stock saver for synchronous graphs, its calls made in a worker's thread.

    It has one lock for everything, so more threads would only wait for each other.
    """

    def __init__(self, connection: sqlite3.Connection, worker: Executor) -> None:
        """Take what the saver is to use."""
        super().__init__(connection)
        self._worker = worker

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint."""
        return await self._in_thread(lambda: self.get_tuple(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint."""
        return await self._in_thread(lambda: self.put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote."""
        await self._in_thread(lambda: self.put_writes(config, writes, task_id, task_path))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the value of each `DeltaChannel` is made of."""
        return await self._in_thread(
            lambda: self.get_delta_channel_history(config=config, channels=channels)
        )

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)


NOTHING = Contestant(name="no checkpointer", open=_nothing, on_sqlite=False)
MEMORY = Contestant(name="InMemorySaver", open=_memory, on_sqlite=False)
ASYNC_SQLITE = Contestant(name="AsyncSqliteSaver", open=_async_sqlite)
THREADED_SQLITE = Contestant(name="SqliteSaver in a thread", open=_threaded_sqlite)
PENSTOCK = Contestant(name="Penstock", open=_penstock)

STOCK = (ASYNC_SQLITE, THREADED_SQLITE)
"""The savers that LangGraph ships for SQLite."""
