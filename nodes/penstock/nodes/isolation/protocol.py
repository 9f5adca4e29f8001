"""The protocol between a pool and the processes of its tools: a job, and the messages about it.

Each message is its length in four bytes and then JSON. A tool's process is not trusted: the length
of its messages is limited, and each is validated when it is read.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from penstock.contracts.call import Attempt
from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.nodes.secrets import SecretValues, no_secrets

_LENGTH = struct.Struct("!I")


class ProtocolError(Exception):
    """The bytes that were received are no message: cut short, too long, or invalid."""


class Calling(BaseModel):
    """The function is called next."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["calling"] = "calling"


class Returned(BaseModel):
    """The function has returned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["returned"] = "returned"
    result: str
    """The result, as the tool's codec has written it."""


class Problem(BaseModel):
    """There is no result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["problem"] = "problem"
    what: Literal[
        "not_started",
        "tool_error",
        "retryable",
        "permanent",
        "refused",
        "invalid_result",
        "raised",
    ]
    type_name: str
    code: str = ""
    """The code of the error; only a typed error has one."""
    message: str
    traceback: str = ""
    after_s: float | None = None


Message = Annotated[Calling | Returned | Problem, Field(discriminator="kind")]
_MESSAGE: TypeAdapter[Calling | Returned | Problem] = TypeAdapter(Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt of a tool call, as it is handed to another process."""

    import_path: str
    """`module:name` of the tool's function, as `Tool.import_path` has it."""
    arguments: str
    """Checked arguments in their canonical form, as JSON."""
    attempt: Attempt
    remaining_s: float
    """Seconds from now to the attempt's deadline, by the caller's clock."""
    call_id: str | None = None
    """The provider's id of the call, for a tool that takes it."""
    traceparent: str | None = None
    """The span to which the attempt belongs, as W3C has it; None where nothing is traced."""
    secrets: Mapping[str, str] = field(default_factory=no_secrets, repr=False)
    """The secrets that the contract names, by name."""


def frame(body: bytes) -> bytes:
    """Return a message with its length before it."""
    return _LENGTH.pack(len(body)) + body


def encode(message: Calling | Returned | Problem) -> bytes:
    """Return a message as bytes."""
    return message.model_dump_json().encode()


def decode(body: bytes) -> Calling | Returned | Problem:
    """Read a message.

    Raises:
        ProtocolError: It is no valid message.
    """
    try:
        return _MESSAGE.validate_json(body, strict=True)
    except ValidationError as error:
        # Not chained: the error would show the message.
        raise ProtocolError(f"it was no message ({error.error_count()} errors)") from None


async def receive(channel: socket.socket, *, limit_bytes: int) -> bytes:
    """Read one message's body from a socket that does not block.

    Raises:
        ProtocolError: The other end was closed, or the message is too long.
    """
    (length,) = _LENGTH.unpack(await _exactly(channel, _LENGTH.size))
    if length > limit_bytes:
        raise ProtocolError(f"it was {length} bytes long, of {limit_bytes} allowed")
    return await _exactly(channel, length)


def receive_blocking(channel: socket.socket) -> bytes | None:
    """Read one message's body; None when the other end is closed."""
    header = _exactly_blocking(channel, _LENGTH.size)
    if header is None:
        return None
    (length,) = _LENGTH.unpack(header)
    return _exactly_blocking(channel, length)


def encode_job(job: Job) -> bytes:
    """Return a job as bytes, with its secrets in the clear: only for the socket to its process."""
    attempt = job.attempt
    fields = {
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
    return json.dumps(fields).encode()


def decode_job(body: bytes) -> Job:
    """Read a job that `encode_job` has written; it comes from nowhere else."""
    fields: dict[str, Any] = json.loads(body)
    attempt = Attempt(
        key=IdempotencyKey(fields["key"]),
        number=fields["number"],
        deadline_at=datetime.fromisoformat(fields["deadline_at"]),
        run_id=RunId(fields["run_id"]),
    )
    return Job(
        import_path=fields["import_path"],
        arguments=fields["arguments"],
        attempt=attempt,
        remaining_s=fields["remaining_s"],
        call_id=fields["call_id"],
        traceparent=fields["traceparent"],
        secrets=SecretValues(fields["secrets"]),
    )


async def _exactly(channel: socket.socket, count: int) -> bytes:
    body, view = bytearray(count), 0
    loop = asyncio.get_running_loop()
    while view < count:
        try:
            read_count = await loop.sock_recv_into(channel, memoryview(body)[view:])
        except OSError as error:
            raise ProtocolError("the connection was lost") from error
        if read_count == 0:
            raise ProtocolError(
                "it ended before its answer" if view == 0 else "its answer was cut short"
            )
        view += read_count
    return bytes(body)


def _exactly_blocking(channel: socket.socket, count: int) -> bytes | None:
    body = bytearray()
    while len(body) < count:
        part = channel.recv(min(count - len(body), 1 << 20))
        if not part:
            return None
        body += part
    return bytes(body)
