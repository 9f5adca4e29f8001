"""Runs pytest again and again, each time in a process that has the libraries in memory already.

To import them takes longer than most tests that run in such a process. Nothing of the checkout is
imported before the fork, so each session sees the files as they are then.

It is a program: a line of JSON asks for a session, and a line answers with its exit code.
"""

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

LIBRARIES = (
    "alembic.command",
    "apprise",
    "cedarpy",
    "genai_prices",
    "hypothesis.stateful",
    "langchain_core.tracers",
    "langgraph.graph",
    "langgraph.prebuilt",
    "psycopg",
    "pydantic_settings",
    "pytest_asyncio",
    "typer.testing",
)

_SET_DEATH_SIGNAL = 1
"""From the kernel's header linux/prctl.h."""

_WITHOUT_REWRITING = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Libraries that bring a plugin are in memory before pytest could rewrite their assertions."""


class WarmPytest:
    """Sessions of pytest in one folder."""

    def __init__(self, folder: Path, *, env: Mapping[str, str]) -> None:
        """Start the process that is forked for each session."""
        self._out = folder / "out.txt"
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: Sequence[str], *, timeout_s: float) -> tuple[int, str]:
        """Run a session; return its exit code and what it printed."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        asked = {"arguments": list(arguments), "out": str(self._out), "timeout_s": timeout_s}
        print(json.dumps(asked), file=self._server.stdin, flush=True)
        answered = self._server.stdout.readline()
        return int(answered), self._out.read_text()

    def close(self) -> None:
        """End the process."""
        self._server.communicate()


def main() -> None:
    """Answer until nobody asks any more."""
    _end_with_parent()
    # A script's own folder is searched first, and the modules beside this one are no libraries.
    del sys.path[0]
    # LangGraph reads it once, when it is first imported.
    os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_a_session(asked)
        print(_ended(child, asked["timeout_s"]), flush=True)


def _be_a_session(asked: Mapping[str, Any]) -> None:
    _end_with_parent()
    pytest = importlib.import_module("pytest")
    os.setsid()
    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = pytest.ExitCode.INTERNAL_ERROR
    try:
        code = pytest.main([*_WITHOUT_REWRITING, *asked["arguments"]])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _ended(child: int, timeout_s: float) -> int:
    """Return the exit code of a session; that of one that was killed is negative."""

    def kill(_: int, __: FrameType | None) -> None:
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    _, status = os.waitpid(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
