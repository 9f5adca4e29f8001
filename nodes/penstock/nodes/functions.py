"""Running somebody's function for a limited time, on the loop or beside it."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any

GRACE_S = 0.5
"""How long a coroutine that was cancelled at its deadline has to end."""


class TooLate(Exception):
    """A function had not ended at its deadline."""

    def __init__(self, running: "asyncio.Future[object] | None") -> None:
        super().__init__("it had not ended at its deadline")
        self.running = running
        """What it will come to, if it goes on: what blocks a thread cannot be stopped."""


async def run(
    function: Callable[..., object],
    keywords: Mapping[str, object],
    *,
    is_async: bool,
    timeout_s: float,
) -> object:
    """Return what a function comes to; a blocking one runs in a thread of its own.

    Raises:
        TooLate: It had not ended in time. A coroutine was cancelled, a thread goes on.
    """
    if not is_async:
        return await within(in_thread(function, keywords), timeout_s=timeout_s)
    awaited: Any = function(**keywords)
    task: asyncio.Task[object] = asyncio.create_task(awaited)
    try:
        return await within(task, timeout_s=timeout_s)
    except TooLate:
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_S)
        if not task.done():
            raise
        if task.cancelled():
            raise TooLate(None) from None
        # It ended in the last moment, or in its own way of being cancelled: that is knowledge.
        return task.result()


async def within(running: "asyncio.Future[object]", *, timeout_s: float) -> object:
    """Return what is under way comes to.

    Raises:
        TooLate: It had not ended in time, and goes on.
    """
    done, _ = await asyncio.wait({running}, timeout=timeout_s)
    if not done:
        raise TooLate(running)
    return running.result()


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
