"""Processes that tests have started: whether they are there, and when they are gone."""

import asyncio
import ctypes
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 240
"""What is waited for comes within a second on a machine that does nothing else."""

_SET_DEATH_SIGNAL = 1
# From the kernel's header linux/prctl.h.


def is_alive(process: int) -> bool:
    """Tell whether a process is there and has not ended, as Linux tells it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_gone(process: int) -> None:
    """Wait until a process has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while is_alive(process):  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.05)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Ask again and again until something is so; fail with `what` when patience is at an end."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S} s in vain until {what}")
        time.sleep(0.02)  # noqa: TID251 - a process of another program gives no sign of its own


def end_with_parent(number: signal.Signals = signal.SIGINT) -> None:
    """In a process that was just forked: have the kernel signal to it when its parent has ended.

    Its parent is the thread that started it; servers are therefore started in the main thread.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, number, 0, 0, 0)
