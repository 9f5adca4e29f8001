"""A checkpoint as people look at it: where a run's state stood between two steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.contracts.ids import RunId, ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo:
    """One checkpoint of a run, without what it holds."""

    id: str
    parent_id: str | None
    """The checkpoint before it, which may be of an earlier run of the thread."""
    thread_id: ThreadId
    namespace: str
    """LangGraph's `checkpoint_ns` of the subgraph that it is of; empty at the top."""
    run_id: RunId
    number: int
    """LangGraph's count of the thread's steps; the input comes before the first."""
    source: str
    """`input`, `loop`, `update` or `fork`: what it came of."""
    at: datetime
    tasks: tuple[str, ...]
    """The executions of nodes that began here and have left something; what they left is in the
    checkpoint after it, or still to be put into one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointState:
    """What a checkpoint holds, as plain data."""

    values: Mapping[str, Any]
    """By the names of the graph's own channels."""
    elsewhere: tuple[str, ...] = ()
    """Channels whose values are kept as changes since an earlier checkpoint, and are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelWrite:
    """Something that an execution of a node has written, as plain data."""

    channel: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExecution:
    """What one execution of a node was sent, and has written."""

    was_sent: bool
    """Whether it was sent something of its own, by LangGraph's `Send`, in place of the state."""
    sent: Any
    written: Sequence[ChannelWrite]
