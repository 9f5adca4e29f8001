"""Exact moments in the life of a worker, at which a test has something done to its process.

They hang on public functions alone, and are set in a child that was forked for them: nothing is put
back.
"""

import inspect
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata

from penstock.checkpoints import Checkpointer, Store

Act = Callable[[], None]
Arguments = Mapping[str, Any]


def before(module: ModuleType, name: str, act: Act, *, when: Callable[[Arguments], bool]) -> None:
    """Act in the transaction, before `module.name` is called with arguments that fit."""
    original = getattr(module, name)
    signature = inspect.signature(original)

    def watched(*args: Any, **kwargs: Any) -> Any:
        if when(signature.bind(*args, **kwargs).arguments):
            act()
        return original(*args, **kwargs)

    setattr(module, name, watched)


def inside(module: ModuleType, name: str, act: Act, *, when: Callable[[Any], bool]) -> None:
    """Act in the transaction, after `module.name` has returned something that fits."""
    original = getattr(module, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if when(result):
            act()
        return result

    setattr(module, name, watched)


def committed(module: ModuleType, name: str, act: Act, *, when: Callable[[Any], bool]) -> None:
    """Act once the transaction is durable in which `module.name` returned something that fits.

    The caller of `Store.write` has not been told yet.
    """
    seen: list[bool] = []
    write = Store.write
    inside(module, name, lambda: seen.append(True), when=when)

    async def watched(self: Store, change: Any, *, on_failure: Any = None) -> Any:
        has_seen = False

        def noted(connection: Any) -> Any:
            nonlocal has_seen
            # Only the writer's thread comes here, with one change after the other.
            seen.clear()
            result = change(connection)
            has_seen = bool(seen)
            return result

        result = await write(self, noted, on_failure=on_failure)
        if has_seen:
            act()
        return result

    Store.write = watched


def before_any_write(act: Act) -> None:
    """Act when something is handed to the writer, before it has it."""

    async def watched(*_: Any, **__: Any) -> Any:
        act()

    Store.write = watched


class WatchedCheckpointer(Checkpointer):
    """Calls with each step and task whose turn it is; both may do something to the process."""

    def __init__(
        self,
        store: Store,
        *,
        before_writes: Callable[[str, Sequence[str]], None] | None = None,
        after_writes: Callable[[str, Sequence[str]], None] | None = None,
        before_put: Callable[[int], None] | None = None,
        after_put: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Watch a task's writes, by its path and the channels, and checkpoints, by their step."""
        super().__init__(store)
        self._watched_store = store
        self._before_writes = before_writes
        self._after_writes = after_writes
        self._before_put = before_put
        self._after_put = after_put

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote; it is durable before `after_writes` is called."""
        channels = [channel for channel, _ in writes]
        if self._before_writes is not None:
            self._before_writes(task_path, channels)
        await super().aput_writes(config, writes, task_id, task_path)
        if self._after_writes is not None:
            settle(self._watched_store)
            self._after_writes(task_path, channels)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; what tasks wrote before it is durable when `before_put` is called."""
        step = metadata.get("step", -1)
        if self._before_put is not None:
            settle(self._watched_store)
            self._before_put(step)
        stored = await super().aput(config, checkpoint, metadata, new_versions)
        if self._after_put is not None:
            await self._after_put(step)
        return stored


def settle(store: Store) -> None:
    """Come back when the writer has committed all it was handed, and holds no lock.

    It stays so until the event loop, whose thread must be the caller's, runs again.
    """
    store.write_blocking(lambda _: None)


def stop_here(store: Store) -> None:
    """Stop this process outside of any transaction until somebody wakes it."""
    settle(store)
    os.kill(os.getpid(), signal.SIGSTOP)
