"""Isolation: tools run in processes of their own, which are killed at their deadlines."""

from penstock.nodes.isolation.errors import (
    Died,
    Interrupted,
    IsolationError,
    NotStarted,
    PoolClosed,
    Raised,
    TimedOut,
    Unfit,
)
from penstock.nodes.isolation.pool import Pool
from penstock.nodes.isolation.protocol import Job
from penstock.nodes.isolation.sandbox import Limits, available_tiers

__all__ = [
    "Died",
    "Interrupted",
    "IsolationError",
    "Job",
    "Limits",
    "NotStarted",
    "Pool",
    "PoolClosed",
    "Raised",
    "TimedOut",
    "Unfit",
    "available_tiers",
]
