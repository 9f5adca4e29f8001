"""Keeps programs running side by side: one log, restarts with growing pauses, an ordered end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from penstock.ui.dev import ports
from penstock.ui.dev.part import Part

Say = Callable[[str, str], None]
"""Takes a part's name and one line of its log."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A part that ran for so long is started again after the first pause."""
_LOOK_S = 0.5
_LAST_LINES_S = 2.0
"""So long the output of a program that has ended is read on."""
_KEPT_LINES = 50
_LONGEST_LINE = 1 << 16

_LEASH = str(Path(__file__).with_name("leash.py"))


def leashed(command: Sequence[str]) -> Sequence[str]:
    """Return a command that becomes `command`, and ends with this process, however that ends."""
    return (sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *command)


class Supervisor:
    """Runs some parts until it is stopped; those that begin first end last."""

    def __init__(self, parts: Sequence[Part], say: Say) -> None:
        """Run `parts`, and tell `say` what they and this have to say."""
        self._keepers = [_Keeper(part, say) for part in parts]
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start all, keep them running until `stop`, and come back when all have ended.

        Whatever ends this, no program is left behind.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                kept = [tasks.create_task(keeper.keep()) for keeper in self._keepers]
                await self._stopping.wait()
                for keeper, task in reversed(list(zip(self._keepers, kept, strict=True))):
                    keeper.stop()
                    await asyncio.wait({task})
        finally:
            self.kill()

    def stop(self) -> None:
        """Have all end, one after the other, each within its time."""
        self._stopping.set()

    def kill(self) -> None:
        """Kill all that runs, at once."""
        for keeper in self._keepers:
            keeper.kill()


class _Keeper:
    """One part, and the program that is running for it now."""

    def __init__(self, part: Part, say: Say) -> None:
        self._part = part
        self._say = say
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._is_up = False
        self._kept: deque[str] = deque(maxlen=_KEPT_LINES)

    def stop(self) -> None:
        self._stopping.set()

    def kill(self) -> None:
        """Kill the program and what it started, if it runs."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def keep(self) -> None:
        """Run the program, again and again if it is to restart, until `stop`."""
        clock = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = clock.time()
            how = await self._run()
            if self._stopping.is_set():
                break
            for line in self._kept:
                self._say(self._part.name, line)
            if not self._part.restarts:
                self._say(self._part.name, f"{how}; all else goes on. {self._part.todo}".strip())
                await self._stopping.wait()
                return
            if clock.time() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            self._say(self._part.name, f"{how}; it is started again in {pause_s:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _run(self) -> str:
        """Run the program once, to its end; return how it ended."""
        self._is_up = False
        self._kept.clear()
        # A pipe of its own: asyncio would wait for the end of one that it made, which whatever the
        # program has started may hold open.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *leashed(self._part.command),
                env=dict(self._part.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                # A Ctrl-C at the terminal is for this process, which stops the others in order.
                start_new_session=True,
            )
        finally:
            os.close(writing)
        self._process = process
        output = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(reading, "rb", buffering=0)
        )
        async with asyncio.TaskGroup() as tasks:
            relaying = tasks.create_task(self._relay(output))
            others = [
                tasks.create_task(self._end_when_told(process)),
                tasks.create_task(self._look_until_up()),
            ]
            try:
                number = await process.wait()
                # What it started may hold its output open.
                await asyncio.wait({relaying}, timeout=_LAST_LINES_S)
            finally:
                self.kill()
                self._process = None
                for task in (relaying, *others):
                    task.cancel()
                transport.close()
        return _how(number)

    async def _end_when_told(self, process: asyncio.subprocess.Process) -> None:
        await self._stopping.wait()
        process.terminate()
        await asyncio.sleep(self._part.stop_s)
        self._say(self._part.name, f"has not ended within {self._part.stop_s:g} s; it is killed")
        self.kill()

    async def _look_until_up(self) -> None:
        if self._part.health is None:
            return
        clock = asyncio.get_running_loop()
        began = clock.time()
        while not await asyncio.to_thread(ports.answers, *self._part.health):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        self._is_up = True
        self._kept.clear()
        self._say(self._part.name, f"{self._part.up} (after {clock.time() - began:.0f} s)")

    async def _relay(self, output: asyncio.StreamReader) -> None:
        """Say what the program prints, a line at a time; very long ones in pieces."""
        rest = b""
        while chunk := await output.read(_LONGEST_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._hear(line)
            if len(rest) >= _LONGEST_LINE:
                self._hear(rest)
                rest = b""
        if rest:
            self._hear(rest)

    def _hear(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        if self._part.quiet and not self._is_up:
            self._kept.append(text)
        else:
            self._say(self._part.name, text)


def _how(number: int) -> str:
    if number < 0:
        return f"was killed by {signal.Signals(-number).name}"
    return f"ended with {number}"
