"""Sending messages to channels, in a process that can be killed."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

LIMIT_S = 15.0
"""A channel that has not taken a message by then is taken to have failed."""
START_S = 15.0
"""So long the process has to start, and to end after its time; a busy machine is slow."""

_PROGRAM = Path(__file__).with_name("delivering.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message to one channel."""

    url: str
    """As Apprise spells it; holds secrets, and is shown nowhere."""
    title: str
    body: str

    def __repr__(self) -> str:
        return f"Letter(title={self.title!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one letter."""

    number: int
    """Which one of those that were handed in, from 0."""
    why: str | None
    """Why it was not delivered; None if it was."""


async def send(
    letters: Sequence[Letter], *, limit_s: float = LIMIT_S
) -> AsyncGenerator[Delivery, None]:
    """Send letters at once, and give what came of each as soon as it is known.

    Of a letter that nothing comes of in time there is nothing to give. However this ends, the
    process has ended then too.
    """
    end_at = asyncio.get_running_loop().time() + limit_s + START_S
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # A Ctrl-C is for the worker.
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101  (it is piped)
    assert process.stdout is not None  # noqa: S101  (it is piped)
    job = {"limit_s": limit_s, "messages": [asdict(letter) for letter in letters]}
    try:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout_at(end_at):
                process.stdin.write(json.dumps(job).encode())
                await process.stdin.drain()
                process.stdin.close()
            while True:
                async with asyncio.timeout_at(end_at):
                    line = await process.stdout.readline()
                # A line that is not whole is one of a program that was killed over it.
                if not line.endswith(b"\n"):
                    break
                yield Delivery(**json.loads(line))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
