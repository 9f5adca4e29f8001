"""Invocation of a tool's function: on the loop, in a thread, or in a transaction of its database.

A function of a transactional tool leaves a mark of the call in its own database. The mark makes it
safe to run the call again: it exists if and only if the transaction was committed, and it holds the
result.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Mapping
from threading import Lock
from typing import Any
from weakref import WeakSet

from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, insert, select, update

from penstock.contracts.ids import IdempotencyKey
from penstock.nodes.calls.context import Halt
from penstock.nodes.tools.terms import Database

GRACE_S = 0.5
"""The time that a coroutine has to end after it was cancelled at its deadline."""

_marks = Table(
    "penstock_effects",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("result", Text, nullable=False),
)
"""In the user's database; the result is empty while the transaction is under way."""

_prepared: WeakSet[Engine] = WeakSet()
_preparing = Lock()


class TooLate(Exception):
    """A function had not ended at its deadline."""

    message = "it had not ended at its deadline"

    def __init__(self, running: "asyncio.Future[object] | None") -> None:
        super().__init__(self.message)
        self.running = running
        """The invocation, if it goes on: a function that blocks a thread cannot be stopped."""


class Stopped(TooLate):
    """A function had not ended when the calls of its segment were stopped."""

    message = "it had not ended when it was to stop"


class RolledBack(Exception):
    """The function raised, and its transaction was rolled back."""


async def invoke(
    function: Callable[..., object],
    keywords: Mapping[str, object],
    *,
    is_async: bool,
    timeout_s: float,
    halt: Halt,
) -> object:
    """Return the result of a function; a blocking one runs in a thread of its own.

    Raises:
        Stopped: The calls of the segment were stopped. A coroutine was cancelled; a thread goes on.
        TooLate: It had not ended in time. A coroutine was cancelled; a thread goes on.
    """
    if not is_async:
        return await wait_within(in_thread(function, keywords), timeout_s=timeout_s, halt=halt)
    awaited: Any = function(**keywords)
    return await run_task(awaited, timeout_s=timeout_s, grace_s=GRACE_S, halt=halt)


async def run_task(
    awaited: Coroutine[Any, Any, object], *, timeout_s: float | None, grace_s: float, halt: Halt
) -> object:
    """Return the result of a coroutine, which is cancelled when its time is over.

    It then has `grace_s` to end.

    Raises:
        Stopped, TooLate: As `invoke`; `running` is set where it has not ended all the same.
    """
    running: asyncio.Task[object] = asyncio.create_task(awaited)
    try:
        return await wait_within(running, timeout_s=timeout_s, halt=halt)
    except TooLate as late:
        running.cancel()
        await asyncio.wait({running}, timeout=grace_s)
        if not running.done():
            raise
        if running.cancelled():
            raise type(late)(None) from None
        # It ended in the last moment, or handled the cancellation itself: its result counts.
        return running.result()


async def wait_within(
    running: "asyncio.Future[object]", *, timeout_s: float | None, halt: Halt
) -> object:
    """Return the result of an invocation that is under way.

    Raises:
        Stopped: The calls of the segment were stopped, and it goes on.
        TooLate: It had not ended in time, and goes on.
    """
    halted = halt.future()
    # Every invocation has a deadline; where none is given here, it keeps its own.
    await asyncio.wait(
        {running} if halted is None else {running, halted},
        timeout=timeout_s,
        return_when=asyncio.FIRST_COMPLETED,
    )
    if running.done():
        return running.result()
    raise Stopped(running) if halt.is_requested else TooLate(running)


def in_thread(
    function: Callable[..., object], keywords: Mapping[str, object]
) -> "asyncio.Future[object]":
    """Run a function in a thread of its own, where one that never ends blocks no other."""
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
        except BaseException as error:  # raised where it is awaited
            failed = error
        try:
            loop.call_soon_threadsafe(settle, result, failed)
        except RuntimeError:
            # The loop was closed meanwhile, and nobody waits there any more.
            return

    threading.Thread(target=work, name="penstock-tool", daemon=True).start()
    return ended


def run_once(
    database: Database,
    key: IdempotencyKey,
    function: Callable[..., object],
    keywords: Callable[[Connection], Mapping[str, object]],
    write: Callable[[object], str],
) -> str:
    """Run a function in a transaction, unless one was committed under this key before.

    Returns the result as `write` writes it, of this transaction or of the one before.

    Raises:
        RolledBack: The function raised; the error is its cause.
        Exception: SQLAlchemy's, where the database failed; what was done is not known.
    """
    engine = database if isinstance(database, Engine) else database()
    _create_marks(engine)
    with engine.begin() as connection:
        done = connection.execute(select(_marks.c.result).where(_marks.c.key == key)).scalar()
        if done is not None:
            return done
        # Before the function: of two that run at once, one waits here and then finds the other's.
        connection.execute(insert(_marks).values(key=key, result=""))
        try:
            text = write(_call(function, keywords(connection)))
        except Exception as error:
            raise RolledBack from error
        connection.execute(update(_marks).where(_marks.c.key == key).values(result=text))
        return text


def _call(function: Callable[..., object], keywords: Mapping[str, object]) -> object:
    result: Any = function(**keywords)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def _create_marks(engine: Engine) -> None:
    with _preparing:
        if engine not in _prepared:
            _marks.create(engine, checkfirst=True)
            _prepared.add(engine)
