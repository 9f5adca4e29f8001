"""The conversation with one process: it is sent a job, and answers or ends."""

import asyncio
import os
import signal
from typing import Self

from pydantic_core import from_json

from penstock.nodes.isolation import protocol
from penstock.nodes.isolation.errors import Died, NotStarted, TimedOut
from penstock.nodes.isolation.forkserver import Child, ProcessEnd
from penstock.nodes.isolation.sandbox import Limits
from penstock.nodes.secrets import RedactedTail, SecretRedactor

_READ_BYTES = 1 << 16
_LAST_READS = 64
"""A pipe holds as much; only a process that is still alive could write more."""

_ENVELOPE_BYTES = 1 << 18


class Conversation:
    """Sends a job to one process, on the loop where it is entered, and keeps its output."""

    def __init__(self, child: Child, redaction: SecretRedactor, limits: Limits) -> None:
        """Talk to a process, which is closed at the exit."""
        self._child = child
        self._loop = asyncio.get_running_loop()
        self._tail = RedactedTail(redaction, size_bytes=limits.output_bytes)
        # JSON within JSON: each quotation mark and each backslash takes one more byte.
        self._limit_bytes = 2 * limits.message_bytes + _ENVELOPE_BYTES
        self.is_started = False
        """Whether the function may have been called."""

    def __enter__(self) -> Self:
        self._loop.add_reader(self._child.output, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._child.output)
        self._child.close()

    async def ask(self, body: bytes) -> protocol.Returned | protocol.Problem:
        """Send a job and return the answer.

        Raises:
            ProtocolError: There will be no answer.
        """
        try:
            await self._loop.sock_sendall(self._child.channel, protocol.frame(body))
        except OSError as error:
            raise protocol.ProtocolError("it ended before it was told its job") from error
        message = protocol.decode(
            await protocol.receive(self._child.channel, limit_bytes=self._limit_bytes)
        )
        if isinstance(message, protocol.Calling):
            self.is_started = True
            message = protocol.decode(
                await protocol.receive(self._child.channel, limit_bytes=self._limit_bytes)
            )
        match message:
            case protocol.Returned() if self.is_started and _is_json(message.result):
                return message
            case protocol.Problem() if self.is_started is (message.what != "not_started"):
                return message
            case _:
                self.is_started = True
                raise protocol.ProtocolError("it answered with what was not asked")

    def drain(self) -> None:
        """Read the rest of its output."""
        for _ in range(_LAST_READS):
            if not self._read():
                return

    def output(self) -> str:
        """Return the end of its output."""
        return self._tail.text()

    def _read(self) -> bool:
        try:
            data = os.read(self._child.output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._child.output)
            return False
        self._tail.feed(data)
        return True


def error_of_end(
    conversation: Conversation, end: ProcessEnd | None, *, broken: str
) -> NotStarted | TimedOut | Died:
    """Return the error of a job that was not answered.

    Args:
        conversation: The conversation with its process.
        end: The end of the process; None where it could not be seen.
        broken: The problem with the answer; empty where there was none by the deadline.
    """
    output = conversation.output()
    is_late = not broken or (end is not None and end.is_late)
    if not conversation.is_started:
        what = "its deadline came first" if is_late else _describe(end, broken)
        return NotStarted(f"The function was not called: {_with(what, output)}.")
    if is_late:
        fate = "its processes were killed" if end is not None else "it could not be killed"
        return TimedOut(f"It had not returned at its deadline; {fate}.", output=output)
    code = None if end is None or end.status is None else _exit_code(end.status)
    return Died(
        f"Its process ended without an answer: {_describe(end, broken)}.",
        exit_code=code if code is not None and code >= 0 else None,
        signal=-code if code is not None and code < 0 else None,
        output=output,
    )


def _describe(end: ProcessEnd | None, broken: str) -> str:
    if end is None:
        return f"{broken}, and it could not be killed"
    if end.status is None:
        return end.why or broken
    code = _exit_code(end.status)
    if code >= 0:
        return f"{broken}, with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"{broken}, killed by {name}"


def _with(what: str, output: str) -> str:
    return f"{what}; it printed: {output}" if output else what


def _exit_code(status: int) -> int:
    return os.waitstatus_to_exitcode(status)


def _is_json(text: str) -> bool:
    try:
        from_json(text)
    except ValueError:
        return False
    return True
