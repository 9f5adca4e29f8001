"""A step: one execution of a node inside a run."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.ids import RunId


class StepKind(StrEnum):
    """What a step is for, as its node declares it."""

    PLAN = "plan"
    TOOL = "tool"
    VERIFY = "verify"
    SUMMARIZE = "summarize"
    OTHER = "other"


class StepStatus(StrEnum):
    """How far one execution of a node has come."""

    STARTED = "started"
    """Running, or cut off with its worker: the run's epoch tells which."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARKED = "parked"
    """Waits at a gate; the node runs again from its first line when the gate is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step as it is stored."""

    run_id: RunId
    epoch: int
    """Of the claim under which it ran."""
    task_id: str
    """LangGraph's; the same when the node is executed again after a crash or a gate."""
    namespace: str
    """LangGraph's `checkpoint_ns` of the subgraph that the node is in; empty at the top."""
    node: str
    """The node's path from the top: `research|search`."""
    kind: StepKind
    status: StepStatus
    started_at: datetime
    ended_at: datetime | None
    """When it succeeded, failed or parked."""
    error: str | None
    """What the node raised; only a failed step has it."""
