"""Signals: the first asks to stop, the second stops at once."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Generator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
KILLED = 128
"""What a signal's number is added to for the exit code of a process it ended."""


@contextlib.contextmanager
def stopped_by_signals(
    stop: Callable[[int], None], *, at_once: Callable[[], None] = lambda: None
) -> Generator[None]:
    """Call `stop` in the event loop at the first signal to end; at the second end the process.

    `at_once` is called right before that.

    These are handlers of the process, not of the loop: a node that blocks the loop must not keep
    the second signal from being heard.
    """
    loop = asyncio.get_running_loop()
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        if heard:
            at_once()
            os._exit(KILLED + number)
        heard.append(number)
        loop.call_soon_threadsafe(stop, number)

    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
