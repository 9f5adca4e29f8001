"""Identifiers: what kinds there are and how new ones are made."""

import secrets
from datetime import datetime
from typing import NewType

import uuid_utils

RunId = NewType("RunId", str)
"""A UUIDv7 in its hyphenated form; its 128 bits are also the run's trace id."""

ThreadId = NewType("ThreadId", str)
"""LangGraph's `thread_id`: the durable state of one conversation or job."""

GateId = NewType("GateId", str)
"""32 hexadecimal digits; for a question, the id of LangGraph's interrupt."""

WorkerId = NewType("WorkerId", str)
"""Names one worker process, readable by a person: host, process id and a random tail."""

Fingerprint = NewType("Fingerprint", str)
"""What a graph is made of, in 64 hex digits; with equal ones a run goes on where it stands."""


AccountId = NewType("AccountId", str)
"""Names what a budget is kept on: a run, or a tenant on a day."""

IdempotencyKey = NewType("IdempotencyKey", str)
"""Names one tool call to the service that does it; the same in each attempt."""


def new_worker_id(host: str, process_id: int) -> WorkerId:
    """Make the id of a worker that starts; no other has had it, on this host or any."""
    return WorkerId(f"{host}-{process_id}-{secrets.token_hex(4)}")


def new_run_id(at: datetime) -> RunId:
    """Make the id of a run that is created at `at`; ids made later sort later.

    A UUIDv7 whose first random bits are the rest of the millisecond (RFC 9562, 6.2, method 3): two
    runs of one thread are driven in the order of their ids.
    """
    whole_ms = int(at.timestamp()) * 1000 + at.microsecond // 1000
    rest = at.microsecond % 1000 * 4096 // 1000
    value = whole_ms << 80 | 7 << 76 | rest << 64 | 2 << 62 | secrets.randbits(62)
    return RunId(str(uuid_utils.UUID(int=value)))
