"""A run: its states, the only moves between them, why it may fail, and its tags.

A run can also be erased; each store reports what it erased as an `Erased`.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from penstock.contracts.errors import InvalidInput
from penstock.contracts.ids import RunId, ThreadId, WorkerId

TAG_CHARS = 40
"""A tag is no longer."""

TAG_COUNT = 8
"""A run is given so many at most; what it inherits comes on top."""


class RunStatus(StrEnum):
    """Where a run stands. `docs/states.md` draws the moves."""

    QUEUED = "queued"
    """Waits for a worker."""
    RUNNING = "running"
    """A worker drives it, under the present epoch."""
    WAITING = "waiting"
    """Parked at one or more gates; holds no worker, thread or memory."""
    SUCCEEDED = "succeeded"
    """Ended with its result. Final."""
    FAILED = "failed"
    """Ended without a result, with a code that says why. An operator may redrive it."""
    CANCELLED = "cancelled"
    """Ended because somebody said so. Final."""


class FailureCode(StrEnum):
    """Why a run failed. The set is closed: programs may match on it."""

    TOOL_FAILED = "tool_failed"
    """A tool ended in a permanent error that the graph did not handle."""
    NODE_FAILED = "node_failed"
    """A node of the graph raised, and its retries were used up."""
    BUDGET_EXHAUSTED = "budget_exhausted"
    """A cap on tokens, money, time, calls or steps was reached."""
    DEADLINE_EXCEEDED = "deadline_exceeded"
    """The run or one of its steps took longer than it may."""
    GATE_EXPIRED = "gate_expired"
    """Nobody decided in time, and the gate's default is to stop."""
    POISON = "poison"
    """The run took its worker down too many times."""
    GRAPH_CHANGED = "graph_changed"
    """No worker has the graph the run was started with."""
    UNSTORABLE = "unstorable"
    """The graph's state holds something that a checkpoint cannot keep."""
    INTERNAL = "internal"
    """A fault of the runtime itself."""


DEFAULT_TENANT = "default"
"""The tenant of runs where nobody names one."""

LIVE = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING})
"""States of a run that is not over: its thread belongs to it."""


class RunMode(StrEnum):
    """What the tools of a run may do."""

    LIVE = "live"
    """What their contracts say."""
    SIMULATE = "simulate"
    """Read. Nothing else leaves the process: such calls are refused, and the graph is told so."""


class WhenBusy(StrEnum):
    """What becomes of a new run on a thread whose last run is not over."""

    WAIT = "wait"
    """It waits for the other's end."""
    REFUSE = "refuse"
    """It is not queued."""


TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = MappingProxyType(
    {
        RunStatus.QUEUED: frozenset(
            {RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.FAILED},
        ),
        RunStatus.RUNNING: frozenset(
            {
                RunStatus.WAITING,
                RunStatus.SUCCEEDED,
                RunStatus.FAILED,
                RunStatus.CANCELLED,
                RunStatus.QUEUED,
            },
        ),
        RunStatus.WAITING: frozenset(
            {RunStatus.QUEUED, RunStatus.CANCELLED, RunStatus.FAILED},
        ),
        RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
        RunStatus.SUCCEEDED: frozenset(),
        RunStatus.CANCELLED: frozenset(),
    },
)
"""Every move a run can make. Nothing else is legal, whoever asks."""

ENDED = frozenset(RunStatus) - LIVE
"""States in which a run is over and has the time at which it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The right to write for a run: valid while the run is running at this epoch."""

    run_id: RunId
    epoch: int
    """Raised by one at each claim; every older number is harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run failed, for programs and for people."""

    code: FailureCode
    message: str
    """What happened and what to do about it."""
    redrivable: bool
    """Whether trying again from the last checkpoint can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The place in a run at which another goes on."""

    run_id: RunId
    checkpoint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What has to be known to queue a run."""

    id: RunId
    tenant: str
    key: str | None
    """The caller's own name for it: the same key again is the same run."""
    thread_id: ThreadId
    graph: str
    """The graph's name."""
    graph_version: str
    fingerprint: str
    """Of the graph's shape: a worker whose graph differs does not drive the run."""
    input: str
    """What the graph is given, as JSON."""
    mode: RunMode = RunMode.LIVE
    principal: str = ""
    """The user whom it acts for."""
    deadline_s: float | None = None
    """How long it may take, without the time at gates and in a pause; None for no end."""
    parent_id: RunId | None = None
    """The run that starts it: it shares that one's budget and ends when that one is cancelled."""
    caller: str | None = None
    """The span of whoever starts it, as a `traceparent` of W3C's trace context."""
    tags: tuple[str, ...] = ()
    """What it is sorted by, beside those of its parent, which it inherits."""
    origin: Origin | None = None
    """Where it goes on from, if it is a fork of another run; it has no input then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it is stored."""

    id: RunId
    tenant: str
    thread_id: ThreadId
    key: str | None
    """The caller's own name for it."""
    graph: str
    """The graph's name."""
    graph_version: str
    fingerprint: str
    """Of the graph's shape."""
    input: str
    """What the graph is given, as JSON."""
    mode: RunMode
    status: RunStatus
    epoch: int
    """How often the run has been claimed."""
    worker_id: WorkerId | None
    """Who drives it; only a running run has one."""
    lease_expires_at: datetime | None
    """When its worker is taken for dead unless it is heard of; only a running run has one."""
    lost_count: int
    """How many workers were lost with it since it last came to a gate or an end."""
    cancel_by: str | None
    """Who asked for it to be cancelled."""
    cancel_at: datetime | None
    """When that was asked; a run has it with `cancel_by`."""
    cancel_reason: str | None
    """Why, in the words of whoever asked."""
    pause_by: str | None
    """Who paused it; no worker claims it as long as somebody has."""
    pause_at: datetime | None
    """When it was paused; a run has it with `pause_by`."""
    pause_reason: str | None
    """Why, in the words of whoever paused it."""
    deadline_s: float | None
    """How long it may take, without the time at gates and in a pause; None for no end."""
    deadline_at: datetime | None
    """When that time is over; later by each wait at a gate and each pause."""
    created_at: datetime
    changed_at: datetime
    """When the state last changed."""
    ended_at: datetime | None
    """When it ended; only an ended run has one."""
    failure: Failure | None
    """Only a failed run has one."""
    principal: str = ""
    """The user whom it acts for; empty where nobody was named."""
    parent_id: RunId | None = None
    """The run that has started it."""
    tags: tuple[str, ...] = ()
    """What people and programs sort it by; see `penstock.contracts.run`."""

    @property
    def fence(self) -> Fence:
        """The fence of whoever drives it as it is here."""
        return Fence(run_id=self.id, epoch=self.epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """One line of the report about a run that was forgotten."""

    store: str
    """What was looked through: `checkpoints`, `effects`, `traces`."""
    count: int
    """How many rows were erased, or lost what they said."""
    kept: str | None = None
    """What is still there, and why; None where nothing is."""


def sources(to: RunStatus) -> frozenset[RunStatus]:
    """Return the states from which a run may move to `to`."""
    return frozenset(status for status, targets in TRANSITIONS.items() if to in targets)


def read_tags(given: Iterable[str]) -> tuple[str, ...]:
    """Return tags as they are kept: without blanks around them, each once, sorted.

    Raises:
        InvalidInput: one is empty, too long, or has something that cannot be seen, or a comma,
            which stands between tags; or there are too many.
    """
    tags = tuple(sorted({_read_tag(each) for each in given}))
    if len(tags) > TAG_COUNT:
        raise InvalidInput(f"{len(tags)} tags were given; a run has {TAG_COUNT} at most")
    return tags


def _read_tag(given: str) -> str:
    tag = unicodedata.normalize("NFC", given.strip())
    if not 0 < len(tag) <= TAG_CHARS or not tag.isprintable() or "," in tag:
        raise InvalidInput(
            f"{given[: 2 * TAG_CHARS]!r} is no tag; wanted are 1 to {TAG_CHARS} characters that can"
            " be seen, and no comma"
        )
    return tag
