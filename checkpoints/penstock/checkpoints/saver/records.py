"""Records: LangGraph's checkpoints and writes as rows, made in the caller's thread.

Values are serialised here and not in the writer's thread: the graph goes on changing them.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from penstock.checkpoints.fence import fence_of
from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.early_writes import WriteTarget
from penstock.checkpoints.saver.serialization import encode
from penstock.checkpoints.saver.values import NewValue
from penstock.contracts.errors import UnstorableValue

INLINE_MAX_BYTES = 512
"""A serialised value up to this size stands in the checkpoint's own row."""

_PLACES_LIMIT = 4096
"""For how many namespaces it is remembered how their unchanged channels are stored."""

_PLAIN_CHANNELS = frozenset({"__pregel_tasks", "__no_writes__", "__return__"})
# LangGraph's own channels that carry ordinary results of a task: a `Send`, nothing, a return value.


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """A checkpoint on its way into the store."""

    target: WriteTarget
    row: Mapping[str, Any]
    """Columns of the checkpoint's row, but for its namespace."""
    values: Sequence[NewValue]
    """Versions of channels to store with it."""
    required: Sequence[tuple[str, int]]
    """Channel and version of what it rests on and an earlier checkpoint has stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WritesRecord:
    """The writes of one task on their way into the store."""

    target: WriteTarget
    rows: Sequence[Mapping[str, Any]]
    """Columns of each write's row, but for its namespace."""
    replace: bool
    """Whether they take the place of what the task wrote before."""
    early: bool
    """Whether they may be answered before they are durable."""


def target_of(config: RunnableConfig) -> WriteTarget:
    """Return where `config` writes, and under which lease."""
    configurable = config.get("configurable", {})
    thread_id = str(configurable["thread_id"])
    return WriteTarget(thread_id, configurable.get("checkpoint_ns", ""), fence_of(config))


class Recorder:
    """Makes records, and remembers how channels that do not change are stored."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._lock = threading.Lock()
        # place -> channel -> (version, the value's type and bytes; none if stored apart)
        self._known: OrderedDict[tuple[str, str], dict[str, tuple[Any, list[Any] | None]]]
        self._known = OrderedDict()

    def checkpoint(
        self,
        serde: SerializerProtocol,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> CheckpointRecord:
        """Record a checkpoint that LangGraph hands in.

        Raises:
            UnstorableValue: a channel holds something that has no serialised form.
        """
        target = target_of(config)
        known = self._known_of(target.place)
        versions = checkpoint["channel_versions"]
        inline: dict[str, list[Any]] = {}
        apart: list[str] = []
        values: list[NewValue] = []
        required: list[tuple[str, int]] = []
        for channel, value in checkpoint["channel_values"].items():
            version = versions.get(channel)
            before = None if channel in new_versions else known.get(channel)
            if before is not None and before[0] == version:
                if before[1] is None:
                    apart.append(channel)
                    required.append((channel, _integer(channel, version)))
                else:
                    inline[channel] = before[1]
                continue
            type_, raw = encode(serde, channel, value)
            if len(raw) <= INLINE_MAX_BYTES:
                inline[channel] = [type_, raw]
                known[channel] = (version, inline[channel])
                continue
            apart.append(channel)
            known[channel] = (version, None)
            values.append(
                NewValue(
                    channel=channel,
                    version=_integer(channel, version),
                    type=type_,
                    raw=raw,
                    may_exist=channel not in new_versions,
                ),
            )
        rest = {name: part for name, part in checkpoint.items() if name != "channel_values"}
        body_type, body = serde.dumps_typed([rest, inline, apart])
        whole = get_checkpoint_metadata(config, metadata)
        row = {
            "checkpoint_id": checkpoint["id"],
            "parent_id": config.get("configurable", {}).get("checkpoint_id"),
            "run_id": whole.get("run_id"),
            "metadata": json.dumps(whole),
            "body_type": body_type,
            "body": body,
        }
        return CheckpointRecord(target=target, row=row, values=values, required=required)

    def writes(
        self,
        serde: SerializerProtocol,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> WritesRecord:
        """Record the writes of a task that LangGraph hands in.

        Raises:
            UnstorableValue: one of them has no serialised form.
        """
        checkpoint_id = config.get("configurable", {})["checkpoint_id"]
        rows: list[dict[str, Any]] = []
        for position, (channel, value) in enumerate(writes):
            type_, raw = encode(serde, channel, value)
            rows.append(
                {
                    "checkpoint_id": checkpoint_id,
                    "task_id": task_id,
                    "idx": WRITES_IDX_MAP.get(channel, position),
                    "task_path": task_path,
                    "channel": channel,
                    "type": type_,
                    "data": deltas.pack(raw),
                },
            )
        channels = [channel for channel, _ in writes]
        return WritesRecord(
            target=target_of(config),
            rows=rows,
            replace=all(channel in WRITES_IDX_MAP for channel in channels),
            # A write that marks a task as failed, interrupted or resumed is durable when answered.
            early=all(not c.startswith("__") or c in _PLAIN_CHANNELS for c in channels),
        )

    def _known_of(self, place: tuple[str, str]) -> dict[str, tuple[Any, list[Any] | None]]:
        with self._lock:
            known = self._known.setdefault(place, {})
            self._known.move_to_end(place)
            if len(self._known) > _PLACES_LIMIT:
                self._known.popitem(last=False)
        return known


def _integer(channel: str, version: object) -> int:
    if isinstance(version, int):
        return version
    msg = (
        f"channel `{channel}` has version `{version}`, a {type(version).__name__}, where an"
        " integer is wanted; a thread begun with another checkpointer cannot go on with this one"
    )
    raise UnstorableValue(msg)
