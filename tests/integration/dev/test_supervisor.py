"""Programs side by side: what is said of them, restarts, and that none is left behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock.ui.dev import ports, supervisor
from penstock.ui.dev.supervisor import Program, Supervisor
from support.checkout import import_path
from support.processes import PATIENCE_S, is_alive, until_gone

GOES_ON = "import time; print('began', flush=True)\nwhile True: time.sleep(0.1)"

NOTES_ITS_END = """
import signal, sys, time
def end(*_):
    open("ended", "a").write(sys.argv[1] + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("began", flush=True)
while True: time.sleep(0.1)
"""

STAYS_WITH_A_CHILD = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
while True: time.sleep(0.1)
"""

ENDS_BEFORE_ITS_CHILD = """
import subprocess, sys
program = [sys.executable, "-c", "import time; time.sleep(600)"]
print(subprocess.Popen(program, stdout=subprocess.DEVNULL).pid, flush=True)
"""

SUPERVISES = f"""
import asyncio, os, sys
from penstock.ui.dev.supervisor import Program
from penstock.ui.dev.supervisor import Supervisor
part = Program(name="part", command=(sys.executable, "-c", {GOES_ON!r}), env=os.environ,
            stop_s=10, restarts=True)
supervisor = Supervisor([part], lambda name, line: print(line, flush=True))
part_of = lambda: supervisor._runners[0]._process
async def main():
    running = asyncio.create_task(supervisor.run())
    while part_of() is None: await asyncio.sleep(0.05)
    print(part_of().pid, flush=True)
    await running
asyncio.run(main())
"""


class Heard:
    """What was said, in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._more = asyncio.Event()

    def say(self, name: str, line: str) -> None:
        """Hear a line."""
        self.lines.append((name, line))
        self._more.set()

    async def until(self, name: str, beginning: str, *, count: int = 1) -> str:
        """Wait for a line of a part that begins so; return it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = [line for by, line in self.lines if by == name and beginning in line]
                if len(found) >= count:
                    return found[count - 1]
                self._more.clear()
                await self._more.wait()


def part(name: str, program: str, *arguments: str, **more: Any) -> Program:
    """Return a part that runs a Python program."""
    command = (sys.executable, "-c", program, *arguments)
    usual = Program(name=name, command=command, env=os.environ, stop_s=30.0, restarts=True)
    return replace(usual, **more)


@asynccontextmanager
async def supervised(*parts: Program) -> AsyncGenerator[Heard]:
    """Keep parts running, and stop them at the end."""
    heard = Heard()
    supervisor = Supervisor(parts, heard.say)
    running = asyncio.create_task(supervisor.run())
    try:
        yield heard
    finally:
        supervisor.stop()
        async with asyncio.timeout(PATIENCE_S):
            await running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start again soon, in a folder of its own."""
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.125)
    monkeypatch.chdir(tmp_path)


async def test_part_that_ends_is_started_again_after_growing_pauses() -> None:
    async with supervised(part("part", "import sys; print('here'); sys.exit(3)")) as heard:
        await heard.until("part", "here", count=3)
    said = [line for _, line in heard.lines if line != "here"]
    assert said[:2] == [
        "ended with 3; it is started again in 0.125 s",
        "ended with 3; it is started again in 0.25 s",
    ]


async def test_part_that_was_killed_is_said_to_have_been() -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    async with supervised(part("part", program)) as heard:
        assert (await heard.until("part", "was killed")).startswith("was killed by SIGKILL")


async def test_part_that_cannot_be_started_is_said_and_the_others_go_on() -> None:
    missing = Program(name="lost", command=("./missing",), env={}, stop_s=1.0, restarts=True)
    async with supervised(missing, part("part", GOES_ON)) as heard:
        await heard.until("lost", "`./missing` cannot be started: No such file or directory")
        await heard.until("lost", "it is started again")
        await heard.until("part", "began")


async def test_part_that_does_not_restart_is_said_with_what_to_do_and_the_others_go_on() -> None:
    once = part("once", "print('one')", restarts=False, advice="Do it yourself.")
    async with supervised(once, part("part", GOES_ON)) as heard:
        said = await heard.until("once", "ended with 0")
        await heard.until("part", "began")
    assert said == "ended with 0; all else goes on. Do it yourself."
    assert heard.lines.count(("once", "one")) == 1


async def test_parts_end_one_after_the_other_and_the_first_ends_last(tmp_path: Path) -> None:
    names = ["first", "second", "third"]
    async with supervised(*(part(name, NOTES_ITS_END, name) for name in names)) as heard:
        for name in names:
            await heard.until(name, "began")
    assert (tmp_path / "ended").read_text().split() == ["third", "second", "first"]


async def test_part_that_does_not_end_in_its_time_is_killed_with_what_it_started() -> None:
    async with supervised(part("part", STAYS_WITH_A_CHILD, stop_s=0.5)) as heard:
        child = int(await heard.until("part", ""))
        assert is_alive(child)
    assert ("part", "has not ended within 0.5 s; it is killed") in heard.lines
    await until_gone(child)


async def test_what_a_part_started_ends_with_it() -> None:
    async with supervised(part("part", ENDS_BEFORE_ITS_CHILD, restarts=False)) as heard:
        child = int(await heard.until("part", ""))
        await heard.until("part", "ended with 0")
        await until_gone(child)


async def test_early_lines_of_a_quiet_part_are_said_only_if_it_ends() -> None:
    tells = "print('a banner', flush=True)\n"
    async with supervised(
        part("works", tells + GOES_ON, quiet=True),
        part("fails", tells + "raise SystemExit(1)", quiet=True),
    ) as heard:
        await heard.until("fails", "a banner")
        await heard.until("fails", "ended with 1")
    assert ("works", "a banner") not in heard.lines


async def test_part_is_said_to_work_when_its_page_answers() -> None:
    port = ports.free_port()
    server = f"from http.server import *; HTTPServer(('127.0.0.1', {port}),"
    program = f"import time; time.sleep(1); {server} SimpleHTTPRequestHandler).serve_forever()"
    async with supervised(part("part", program, health=(port, "/"), up="is there")) as heard:
        assert (await heard.until("part", "is there")).startswith("is there (after ")


@pytest.mark.skipif(sys.platform != "linux", reason="no kernel but Linux has it")
def test_nothing_outlives_a_supervisor_that_was_killed() -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISES],
        env={**os.environ, "PYTHONPATH": import_path()},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert supervisor.stdout is not None
        said = {supervisor.stdout.readline().strip() for _ in range(2)}
        (child,) = (int(line) for line in said - {"began"})
        assert is_alive(child)
    finally:
        supervisor.kill()
        supervisor.communicate(timeout=PATIENCE_S)
    try:
        asyncio.run(until_gone(child))
    finally:
        # It would go on for ever where the rule is broken.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_port_that_is_taken_says_by_whom() -> None:
    port = ports.free_port()
    assert ports.is_free(port)
    serves = f"import http.server as s; s.HTTPServer(('127.0.0.1', {port}), None).serve_forever()"
    server = subprocess.Popen([sys.executable, "-c", serves])
    try:
        deadline = PATIENCE_S * 20
        while ports.is_free(port) and (deadline := deadline - 1):
            with pytest.raises(subprocess.TimeoutExpired):
                server.wait(0.05)
        assert f"(process {server.pid})" in ports.holder(port)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait(PATIENCE_S)
