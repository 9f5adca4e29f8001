"""The life of a run: starting it, driving it, deciding its gates, ending it."""

from penstock.runs.approvals import Approvals
from penstock.runs.auditing import Auditing
from penstock.runs.blocking import (
    BlockingApprovals,
    BlockingBulk,
    BlockingPolicing,
    BlockingRuntime,
)
from penstock.runs.bulk import Bulk
from penstock.runs.engine import Engine
from penstock.runs.local import LocalEngine
from penstock.runs.pace import Pace
from penstock.runs.policing import Policing
from penstock.runs.runtime import Runtime
from penstock.runs.tending import Tending
from penstock.runs.worker import Worker

__all__ = [
    "Approvals",
    "Auditing",
    "BlockingApprovals",
    "BlockingBulk",
    "BlockingPolicing",
    "BlockingRuntime",
    "Bulk",
    "Engine",
    "LocalEngine",
    "Pace",
    "Policing",
    "Runtime",
    "Tending",
    "Worker",
]
