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


def new_worker_id(host: str, process_id: int) -> WorkerId:
    """Make the id of a worker that starts; no other has had it, on this host or any."""
    return WorkerId(f"{host}-{process_id}-{secrets.token_hex(4)}")


def new_run_id(at: datetime) -> RunId:
    """Make the id of a run that is created at `at`; ids made later sort later."""
    seconds = int(at.timestamp())
    return RunId(str(uuid_utils.uuid7(timestamp=seconds, nanos=at.microsecond * 1000)))
