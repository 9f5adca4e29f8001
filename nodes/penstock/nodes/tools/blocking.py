"""Waiting for asynchronous work from synchronous code, wherever that runs."""

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


def wait_for(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    """Run work on a loop, and wait for it here.

    On the loop's own thread it runs on another loop in another thread: waiting for one's own
    thread would be for ever. Whatever the work raises is raised here as it was, signals too.
    """
    if _running_loop() is loop:
        return _elsewhere(work)
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _elsewhere(work: Coroutine[Any, Any, T]) -> T:
    done: Future[T] = Future()

    def drive() -> None:
        try:
            done.set_result(asyncio.run(work))
        except BaseException as error:  # raised again where it is waited for
            done.set_exception(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(drive,), name="penstock-tool-call")
    thread.start()
    thread.join()
    return done.result()
