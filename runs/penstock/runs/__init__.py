"""The life of a run: starting it, driving it, deciding its gates, ending it."""

from typing import TYPE_CHECKING

from penstock.contracts.lazy import lazy_exports

if TYPE_CHECKING:
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

__getattr__ = lazy_exports(
    __name__,
    {
        "Approvals": "penstock.runs.approvals",
        "Auditor": "penstock.runs.audit",
        "BlockingApprovals": "penstock.runs.blocking",
        "BlockingBulk": "penstock.runs.blocking",
        "BlockingPolicies": "penstock.runs.blocking",
        "BlockingRuntime": "penstock.runs.blocking",
        "Bulk": "penstock.runs.bulk",
        "Engine": "penstock.runs.engine",
        "Fleet": "penstock.runs.fleet",
        "LocalEngine": "penstock.runs.engine",
        "Pace": "penstock.runs.pace",
        "Policies": "penstock.runs.policies",
        "Runtime": "penstock.runs.runtime",
        "Worker": "penstock.runs.worker",
    },
)
