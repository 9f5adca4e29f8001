"""The life of a run: starting it, driving it, deciding its gates, ending it."""

from penstock.runs.approvals import Approvals
from penstock.runs.audit import Auditor
from penstock.runs.blocking import (
    BlockingApprovals,
    BlockingBulk,
    BlockingPolicies,
    BlockingRuntime,
)
from penstock.runs.bulk import Bulk
from penstock.runs.engine import Engine, LocalEngine
from penstock.runs.fleet import Fleet
from penstock.runs.pace import Pace
from penstock.runs.policies import Policies
from penstock.runs.runtime import Runtime
from penstock.runs.worker import Worker

__all__ = [
    "Approvals",
    "Auditor",
    "BlockingApprovals",
    "BlockingBulk",
    "BlockingPolicies",
    "BlockingRuntime",
    "Bulk",
    "Engine",
    "Fleet",
    "LocalEngine",
    "Pace",
    "Policies",
    "Runtime",
    "Worker",
]
