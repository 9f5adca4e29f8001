"""Running somebody's function for a limited time, on the loop or beside it."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from penstock.nodes.calls.halt import Halt

GRACE_S = 0.5
"""How long a coroutine that was cancelled at its deadline has to end."""


class TooLate(Exception):
    """A function had not ended at its deadline."""

    said = "it had not ended at its deadline"

    def __init__(self, running: "asyncio.Future[object] | None") -> None:
        super().__init__(self.said)
        self.running = running
        """What it will come to, if it goes on: what blocks a thread cannot be stopped."""


class Stopped(TooLate):
    """A function had not ended when it was to stop."""

    said = "it had not ended when it was to stop"


async def run(
    function: Callable[..., object],
    keywords: Mapping[str, object],
    *,
    is_async: bool,
    timeout_s: float,
    halt: Halt,
) -> object:
    """Return what a function comes to; a blocking one runs in a thread of its own.

    Raises:
        Stopped: It was to stop. A coroutine was cancelled, a thread goes on.
        TooLate: It had not ended in time. Likewise.
    """
    if not is_async:
        return await within(in_thread(function, keywords), timeout_s=timeout_s, halt=halt)
    awaited: Any = function(**keywords)
    return await task(awaited, timeout_s=timeout_s, grace_s=GRACE_S, halt=halt)


async def task(
    awaited: Coroutine[Any, Any, object], *, timeout_s: float | None, grace_s: float, halt: Halt
) -> object:
    """Return what a coroutine comes to, which is cancelled where it has to end before.

    It then has `grace_s` to end in.

    Raises:
        Stopped, TooLate: As `run`; `running` is what has not ended all the same.
    """
    running: asyncio.Task[object] = asyncio.create_task(awaited)
    try:
        return await within(running, timeout_s=timeout_s, halt=halt)
    except TooLate as late:
        running.cancel()
        await asyncio.wait({running}, timeout=grace_s)
        if not running.done():
            raise
        if running.cancelled():
            raise type(late)(None) from None
        # It ended in the last moment, or in its own way of being cancelled: that is knowledge.
        return running.result()


async def within(
    running: "asyncio.Future[object]", *, timeout_s: float | None, halt: Halt
) -> object:
    """Return what is under way comes to.

    Raises:
        Stopped: It was to stop, and goes on.
        TooLate: It had not ended in time, and goes on.
    """
    halted = halt.here()
    # Each has a deadline; what is given none here has one of its own.
    await asyncio.wait(
        {running} if halted is None else {running, halted},
        timeout=timeout_s,
        return_when=asyncio.FIRST_COMPLETED,
    )
    if running.done():
        return running.result()
    raise Stopped(running) if halt.is_asked else TooLate(running)


def in_thread(
    function: Callable[..., object], keywords: Mapping[str, object]
) -> "asyncio.Future[object]":
    """Run a function in a thread of its own: one that never ends keeps nobody else waiting."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[object] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: object, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(result)
        else:
            ended.set_exception(error)

    def work() -> None:
        result, failed = None, None
        try:
            result = context.run(function, **keywords)
        except BaseException as error:  # handed to whoever waits
            failed = error
        try:
            loop.call_soon_threadsafe(settle, result, failed)
        except RuntimeError:
            # The loop was closed meanwhile; whoever waited there is gone.
            return

    threading.Thread(target=work, name="penstock-tool", daemon=True).start()
    return ended
