"""The writer: one thread that commits the changes of many callers together.

A durable commit costs one wait for the disk, whatever it holds. Callers submit *changes*, plain
functions that take a connection. The thread takes all that have gathered, runs them in one
transaction, commits, and only then answers. While it waits for the disk, the next batch gathers.
"""

import asyncio
import atexit
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from penstock.checkpoints.audit import chain
from penstock.checkpoints.connections import PersistentConnection
from penstock.checkpoints.database import Database
from penstock.checkpoints.failures import explain, is_failure
from penstock.checkpoints.statements import raw
from penstock.contracts.errors import WriterStopped

BATCH_LIMIT = 512
"""How many changes share a commit at most: the first one must not wait for ever."""

LINGER_S = 0.001
"""How long a batch without a waiting caller is held open for the next change."""

T = TypeVar("T")
Change = Callable[[Connection], T]
"""A plain function that writes through the connection that it receives."""
OnFailure = Callable[[BaseException], None]
"""Called in the writer's thread when a change is undone, before any later change runs."""


class Writer:
    """Runs changes in the order in which they were submitted, many to a commit.

    A change that raises is undone and fails only for its own caller. When the commit fails, all of
    its changes fail. When the thread itself dies, all waiting and later callers get
    `WriterStopped`: a store that cannot be written must be loud.
    """

    def __init__(self, database: Database) -> None:
        """Start the thread; it connects for its first batch."""
        self._database = database
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stopped_because: str | None = None
        self._current_batch: Sequence[_Request] = ()
        self._kept = PersistentConnection(database.connect_writer, database.begin_writing)
        self.commit_count = 0
        """How many commits there were, each durable."""
        self._thread = threading.Thread(target=self._run, name="penstock-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    async def write(self, change: Change[T], *, on_failure: OnFailure | None = None) -> T:
        """Run `change` and return its result once it is durable.

        A caller that is cancelled stops waiting; the change happens all the same.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._submit(_Request(change, future, loop, awaited=True, on_failure=on_failure))
        return await future

    def write_blocking(self, change: Change[T], *, on_failure: OnFailure | None = None) -> T:
        """Run `change` and return its result once it is durable, blocking the thread."""
        future: Future[T] = Future()
        self._submit(_Request(change, future, None, awaited=True, on_failure=on_failure))
        return future.result()

    def post(self, change: Change[T], *, on_failure: OnFailure | None = None) -> Future[T]:
        """Submit `change` without waiting; it may be held back a moment for the next one."""
        future: Future[T] = Future()
        self._submit(_Request(change, future, None, awaited=False, on_failure=on_failure))
        return future

    def close(self) -> None:
        """Commit what was submitted, then stop."""
        atexit.unregister(self.close)
        self._queue.put(None)
        self._thread.join()

    def _submit(self, request: "_Request") -> None:
        with self._lock:
            # A fork copies the queue but not the thread: a child would wait for ever.
            if self._stopped_because is None and self._thread.is_alive():
                self._queue.put(request)
                return
        raise self._stopped()

    def _stopped(self) -> WriterStopped:
        reason = self._stopped_because or "this process was forked from the one that opened it"
        return WriterStopped(
            f"nothing can be written to `{self._database.name}`: {reason}; open the store again",
        )

    # ---- in the thread ----

    def _run(self) -> None:
        reason = "it was closed"
        try:
            while (first := self._queue.get()) is not None:
                self._current_batch = self._gather(first)
                _deliver(self._commit(self._current_batch))
                self._current_batch = ()
        except BaseException as error:
            reason = f"its writer died of {type(error).__name__}: {error}"
            raise
        finally:
            self._kept.close()
            self._fail_all(reason)

    def _gather(self, first: "_Request") -> list["_Request"]:
        batch = [first]
        awaited = first.awaited
        while len(batch) < BATCH_LIMIT:
            try:
                request = self._queue.get_nowait() if awaited else self._queue.get(timeout=LINGER_S)
            except queue.Empty:
                break
            if request is None:
                self._queue.put(None)
                break
            batch.append(request)
            awaited = awaited or request.awaited
        return batch

    def _commit(self, batch: Sequence["_Request"]) -> list["_Answer"]:
        try:
            connection = self._kept.begin()
            driver = raw(connection)
            answers = [_apply(request, connection, driver, self._database) for request in batch]
            self._database.commit_writing(connection)
        except Exception as error:
            # No change is acknowledged, and the connection's state is not to be trusted.
            self._kept.abandon()
            failures = [(request, explain(error, store=self._database.name)) for request in batch]
            for request, failure in failures:
                failure.__cause__ = error
                request.report(failure)
            return [_Answer(request, None, failure) for request, failure in failures]
        self.commit_count += 1
        return answers

    def _fail_all(self, reason: str) -> None:
        with self._lock:
            self._stopped_because = reason
        rest = list(self._current_batch)
        while not self._queue.empty():
            request = self._queue.get()
            if request is not None:
                rest.append(request)
        answers: list[_Answer] = []
        for request in rest:
            failure = self._stopped()
            request.report(failure)
            answers.append(_Answer(request, None, failure))
        _deliver(answers)


@dataclass(frozen=True, slots=True)
class _Request:
    change: Change[Any]
    future: "asyncio.Future[Any] | Future[Any]"
    loop: asyncio.AbstractEventLoop | None
    """The loop that the future belongs to; a thread's future has none."""
    awaited: bool
    """Whether a caller waits for the commit."""
    on_failure: OnFailure | None

    def report(self, failure: BaseException) -> None:
        if self.on_failure is not None:
            self.on_failure(failure)


@dataclass(frozen=True, slots=True)
class _Answer:
    request: _Request
    result: Any
    error: BaseException | None

    def deliver(self) -> None:
        future = self.request.future
        if future.done():
            return
        # A thread's future may be cancelled after `done` was read.
        with contextlib.suppress(InvalidStateError):
            if self.error is None:
                future.set_result(self.result)
            else:
                future.set_exception(self.error)


def _apply(request: _Request, connection: Connection, driver: Any, database: Database) -> _Answer:
    """Run one change to its savepoint, so that it can fail alone."""
    # SQLAlchemy's own savepoints cost twenty times as much, once for every change.
    driver.execute("SAVEPOINT change")
    event_count = chain.pending_count(connection)
    try:
        result = request.change(connection)
    except BaseException as error:
        chain.rollback_to(connection, event_count)
        try:
            driver.execute("ROLLBACK TO SAVEPOINT change")
            driver.execute("RELEASE SAVEPOINT change")
        except Exception as gone:
            # SQLite rolls back the whole transaction when its disk fails: then all must fail.
            raise (error if is_failure(error) else gone) from None
        failure = error
        if is_failure(error):
            failure = explain(error, store=database.name)
            failure.__cause__ = error
        request.report(failure)
        return _Answer(request, None, failure)
    driver.execute("RELEASE SAVEPOINT change")
    return _Answer(request, result, None)


def _deliver(answers: Sequence[_Answer]) -> None:
    """Answer all callers, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for answer in answers:
        if answer.request.loop is None:
            answer.deliver()
        else:
            by_loop.setdefault(answer.request.loop, []).append(answer)
    for loop, theirs in by_loop.items():
        # A loop that was closed meanwhile took its callers with it.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_deliver_all, theirs)


def _deliver_all(answers: Sequence[_Answer]) -> None:
    for answer in answers:
        answer.deliver()
