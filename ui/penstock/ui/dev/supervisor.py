"""Keeps programs running side by side: one log, restarts with growing pauses, an ordered end."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from penstock.ui.dev import ports

Write = Callable[[str, str], None]
"""Takes the name of a program and one line of its log."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A program that ran for so long is started again after the first pause."""
_POLL_S = 0.5
_LAST_LINES_S = 2.0
"""The output of a program that has ended is read for so long."""
_HELD_LINES = 50
_LONGEST_LINE = 1 << 16
_PARENT_DEATH = str(Path(__file__).with_name("parent_death.py"))
OWN = "penstock"
"""The name before the lines of `penstock dev` itself."""
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program that runs beside the others."""

    name: str
    """The name before its lines in the log."""
    command: tuple[str, ...]
    env: Mapping[str, str]
    stop_s: float
    """After a SIGTERM it has so long to end; then it is killed, with all that it started."""
    restarts: bool
    """Whether it is started again when it ends by itself."""
    health: tuple[int, str] | None = None
    """A port and a path of this machine that answer with 200 once it works."""
    up: str = ""
    """The line to log when they first do."""
    quiet: bool = False
    """Whether its output before it works is logged only if it ends instead."""
    advice: str = ""
    """What to do where it has ended and is not started again."""


class Supervisor:
    """Runs some programs until it is stopped; those that begin first end last."""

    def __init__(self, programs: Sequence[Program], write: Write) -> None:
        """Run `programs`, and pass their output and its own lines to `write`."""
        self._runners = [_Runner(program, write) for program in programs]
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start all, keep them running until `stop`, and come back when all have ended.

        Whatever ends this, no program is left behind.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(runner.run()) for runner in self._runners]
                await self._stopping.wait()
                for runner, task in reversed(list(zip(self._runners, running, strict=True))):
                    runner.stop()
                    await asyncio.wait({task})
        finally:
            self.kill()

    def stop(self) -> None:
        """End all programs, one after the other, each within its time."""
        self._stopping.set()

    def kill(self) -> None:
        """Kill all that runs, at once."""
        for runner in self._runners:
            runner.kill()


class Log:
    """The log of all programs, on standard error: each line names its program, in its colour."""

    def __init__(self, names: Sequence[str], *, as_json: bool) -> None:
        """Take lines of `names`; print them as JSON objects, or for people."""
        self._as_json = as_json
        self._width = max(map(len, (OWN, *names)))
        self._styles = dict(zip(names, _COLOURS, strict=False)) | {OWN: "bold"}
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def write(self, name: str, line: str) -> None:
        """Print a line of one program."""
        if self._as_json:
            print(json.dumps({"from": name, "line": line}), file=sys.stderr, flush=True)
            return
        whose = Text(f"{name:<{self._width}} │ ", style=self._styles.get(name, ""))
        self._console.print(whose + Text.from_ansi(line), soft_wrap=True)


def tied_to_parent(command: Sequence[str]) -> Sequence[str]:
    """Return a command that becomes `command`, and ends with this process, however that ends."""
    return (sys.executable, "-I", "-S", _PARENT_DEATH, str(os.getpid()), *command)


class _Runner:
    """One program, and its process that is running now."""

    def __init__(self, program: Program, write: Write) -> None:
        self._program = program
        self._write = write
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._is_up = False
        self._held_back: deque[str] = deque(maxlen=_HELD_LINES)

    def stop(self) -> None:
        self._stopping.set()

    def kill(self) -> None:
        """Kill the process and all that it started, if it runs."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def run(self) -> None:
        """Run the program, again and again if it is to restart, until `stop`."""
        clock = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = clock.time()
            ending = await self._run_once()
            if self._stopping.is_set():
                break
            for line in self._held_back:
                self._write(self._program.name, line)
            if not self._program.restarts:
                self._write(
                    self._program.name,
                    f"{ending}; all else goes on. {self._program.advice}".strip(),
                )
                await self._stopping.wait()
                return
            if clock.time() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            self._write(self._program.name, f"{ending}; it is started again in {pause_s:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _run_once(self) -> str:
        """Run the program once, to its end; return how it ended."""
        self._is_up = False
        self._held_back.clear()
        # A pipe of its own: asyncio would wait for the end of one that it made, which whatever the
        # program has started may hold open.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *tied_to_parent(self._program.command),
                env=dict(self._program.env),
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
                tasks.create_task(self._end_when_stopped(process)),
                tasks.create_task(self._poll_until_up()),
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
        return _ending(number)

    async def _end_when_stopped(self, process: asyncio.subprocess.Process) -> None:
        await self._stopping.wait()
        # It may have ended by itself just now.
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.sleep(self._program.stop_s)
        self._write(
            self._program.name, f"has not ended within {self._program.stop_s:g} s; it is killed"
        )
        self.kill()

    async def _poll_until_up(self) -> None:
        if self._program.health is None:
            return
        clock = asyncio.get_running_loop()
        began = clock.time()
        while not await asyncio.to_thread(ports.answers, *self._program.health):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        self._is_up = True
        self._held_back.clear()
        self._write(self._program.name, f"{self._program.up} (after {clock.time() - began:.0f} s)")

    async def _relay(self, output: asyncio.StreamReader) -> None:
        """Log the output of the process, a line at a time; very long lines in pieces."""
        rest = b""
        while chunk := await output.read(_LONGEST_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log_line(line)
            if len(rest) >= _LONGEST_LINE:
                self._log_line(rest)
                rest = b""
        if rest:
            self._log_line(rest)

    def _log_line(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        if self._program.quiet and not self._is_up:
            self._held_back.append(text)
        else:
            self._write(self._program.name, text)


def _ending(number: int) -> str:
    if number < 0:
        return f"was killed by {signal.Signals(-number).name}"
    return f"ended with {number}"
