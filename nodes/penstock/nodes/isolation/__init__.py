"""Isolation: tools that run in processes of their own, which are killed at their deadlines."""

from penstock.nodes.isolation.ends import (
    Died,
    Interrupted,
    IsolationError,
    NotStarted,
    PoolClosed,
    Raised,
    TimedOut,
    Unfit,
)
from penstock.nodes.isolation.job import Job
from penstock.nodes.isolation.limits import Limits
from penstock.nodes.isolation.pool import Pool
from penstock.nodes.isolation.tiers import available

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
    "available",
]
