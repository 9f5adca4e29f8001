"""The conversation with one process: a job goes out, and an answer or nothing comes back."""

import asyncio
import os
import signal
from typing import Self

from pydantic_core import from_json

from penstock.nodes.isolation import wire
from penstock.nodes.isolation.ends import Died, NotStarted, TimedOut
from penstock.nodes.isolation.limits import Limits
from penstock.nodes.isolation.nursery import Child, Ending
from penstock.nodes.secrets import RedactedTail, SecretRedactor

_READ_BYTES = 1 << 16
_LAST_READS = 64
"""A pipe holds as much; more can come only from what is still alive."""

_ENVELOPE_BYTES = 1 << 18


class Line:
    """Asks one process, on the event loop where it is entered, and keeps what it prints."""

    def __init__(self, child: Child, redaction: SecretRedactor, limits: Limits) -> None:
        """Take a process; it is closed at the exit."""
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

    async def ask(self, body: bytes) -> wire.Returned | wire.Problem:
        """Send a job and return the answer.

        Raises:
            Broken: There will be none.
        """
        try:
            await self._loop.sock_sendall(self._child.channel, wire.frame(body))
        except OSError as error:
            raise wire.Broken("it ended before it was told its job") from error
        said = wire.read(await wire.receive(self._child.channel, limit_bytes=self._limit_bytes))
        if isinstance(said, wire.Calling):
            self.is_started = True
            said = wire.read(await wire.receive(self._child.channel, limit_bytes=self._limit_bytes))
        match said:
            case wire.Returned() if self.is_started and _is_json(said.result):
                return said
            case wire.Problem() if self.is_started is (said.what != "not_started"):
                return said
            case _:
                self.is_started = True
                raise wire.Broken("it answered with what was not asked")

    def drain(self) -> None:
        """Read what it has printed and nobody has read yet."""
        for _ in range(_LAST_READS):
            if not self._read():
                return

    def output(self) -> str:
        """Return the end of what it has printed."""
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


def end_of(line: Line, ending: Ending | None, *, broken: str) -> NotStarted | TimedOut | Died:
    """Return the error of a job that brought no answer.

    Args:
        line: The conversation.
        ending: The end of the process; None where it could not be seen.
        broken: What was wrong with the answer; empty where there was none by the deadline.
    """
    output = line.output()
    is_late = not broken or (ending is not None and ending.is_late)
    if not line.is_started:
        what = "its deadline came first" if is_late else _describe(ending, broken)
        return NotStarted(f"The function was not called: {_with(what, output)}.")
    if is_late:
        fate = "its processes were killed" if ending is not None else "it could not be killed"
        return TimedOut(f"It had not returned at its deadline; {fate}.", output=output)
    code = None if ending is None or ending.status is None else _exit_code(ending.status)
    return Died(
        f"Its process ended without an answer: {_describe(ending, broken)}.",
        exit_code=code if code is not None and code >= 0 else None,
        signal=-code if code is not None and code < 0 else None,
        output=output,
    )


def _describe(ending: Ending | None, broken: str) -> str:
    if ending is None:
        return f"{broken}, and it could not be killed"
    if ending.status is None:
        return ending.why or broken
    code = _exit_code(ending.status)
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
