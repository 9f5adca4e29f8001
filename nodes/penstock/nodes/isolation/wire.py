"""What a pool and the processes of its tools say to each other.

Each message is its length in four bytes and then JSON. A tool's process is not trusted to answer
well: what it says is bounded, and checked when it is read.
"""

import asyncio
import socket
import struct
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

_LENGTH = struct.Struct("!I")


class Broken(Exception):
    """What came is no message: it was cut short, too long, or not one of ours."""


class Calling(BaseModel):
    """The function is called next."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["calling"] = "calling"


class Returned(BaseModel):
    """The function has returned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["returned"] = "returned"
    result: str
    """As the tool's codec has written it."""


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
    """The error's own; only a typed error has one."""
    message: str
    traceback: str = ""
    after_s: float | None = None


Said = Annotated[Calling | Returned | Problem, Field(discriminator="kind")]

_SAID: TypeAdapter[Calling | Returned | Problem] = TypeAdapter(Said)


def frame(body: bytes) -> bytes:
    """Put the length before a message."""
    return _LENGTH.pack(len(body)) + body


def write(said: Calling | Returned | Problem) -> bytes:
    """Write a message."""
    return said.model_dump_json().encode()


def read(body: bytes) -> Calling | Returned | Problem:
    """Read a message.

    Raises:
        Broken: It is none.
    """
    try:
        return _SAID.validate_json(body, strict=True)
    except ValidationError as error:
        # Not chained: the error would show what came.
        raise Broken(f"it was no message ({error.error_count()} errors)") from None


async def receive(channel: socket.socket, *, limit_bytes: int) -> bytes:
    """Read one message's body from a socket that does not block.

    Raises:
        Broken: The other end was closed, or the message is too long.
    """
    (length,) = _LENGTH.unpack(await _exactly(channel, _LENGTH.size))
    if length > limit_bytes:
        raise Broken(f"it was {length} bytes long, of {limit_bytes} allowed")
    return await _exactly(channel, length)


def receive_blocking(channel: socket.socket) -> bytes | None:
    """Read one message's body; None when the other end is closed."""
    header = _exactly_blocking(channel, _LENGTH.size)
    if header is None:
        return None
    (length,) = _LENGTH.unpack(header)
    return _exactly_blocking(channel, length)


async def _exactly(channel: socket.socket, count: int) -> bytes:
    body, view = bytearray(count), 0
    loop = asyncio.get_running_loop()
    while view < count:
        try:
            read_count = await loop.sock_recv_into(channel, memoryview(body)[view:])
        except OSError as error:
            raise Broken("the connection was lost") from error
        if read_count == 0:
            raise Broken("it ended before its answer" if view == 0 else "its answer was cut short")
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
