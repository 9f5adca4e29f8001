"""One attempt of a tool call, as it is handed to another process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.contracts.call import Attempt
from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.nodes.secrets import SecretValues, no_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a process needs to know to make one attempt of a tool call."""

    import_path: str
    """`module:name` of the tool's function, as `Tool.import_path` has it."""
    arguments: str
    """Checked arguments in their canonical form, as JSON."""
    attempt: Attempt
    remaining_s: float
    """Seconds from now to the attempt's deadline, by the caller's clock."""
    call_id: str | None = None
    """What the provider calls the call, for tools that ask for it."""
    traceparent: str | None = None
    """What says of which span the attempt is a part; None where nothing is traced."""
    secrets: Mapping[str, str] = field(default_factory=no_secrets, repr=False)
    """By name; only those that the contract names."""


def write_job(job: Job) -> bytes:
    """Write a job, with its secrets in the clear, for nothing but the pipe to its process."""
    attempt = job.attempt
    told = {
        "import_path": job.import_path,
        "arguments": job.arguments,
        "key": attempt.key,
        "number": attempt.number,
        "deadline_at": attempt.deadline_at.isoformat(),
        "run_id": job.attempt.run_id,
        "remaining_s": job.remaining_s,
        "call_id": job.call_id,
        "traceparent": job.traceparent,
        "secrets": dict(job.secrets),
    }
    return json.dumps(told).encode()


def read_job(body: bytes) -> Job:
    """Read what `write_job` has written; it comes from nowhere else."""
    told: dict[str, Any] = json.loads(body)
    attempt = Attempt(
        key=IdempotencyKey(told["key"]),
        number=told["number"],
        deadline_at=datetime.fromisoformat(told["deadline_at"]),
        run_id=RunId(told["run_id"]),
    )
    return Job(
        import_path=told["import_path"],
        arguments=told["arguments"],
        attempt=attempt,
        remaining_s=told["remaining_s"],
        call_id=told["call_id"],
        traceparent=told["traceparent"],
        secrets=SecretValues(told["secrets"]),
    )
