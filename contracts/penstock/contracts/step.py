"""A step: one execution of a node inside a run."""

from enum import StrEnum


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
