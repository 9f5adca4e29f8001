"""Connections that stay open between transactions, and the thread that reads over one.

Taking a connection from a pool, beginning and returning it costs several times what a small query
does.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from penstock.checkpoints.database import Database
from penstock.checkpoints.failures import explain, is_busy, is_failure

T = TypeVar("T")

Query = Callable[[Connection], T]
"""A plain function that reads through the connection that it receives."""


class PersistentConnection:
    """One connection of one thread, opened when first needed, and again after it was lost."""

    def __init__(
        self, connect: Callable[[], Connection], begin: Callable[[Connection], None]
    ) -> None:
        """Open with `connect`; `begin` begins a transaction with a trip to the database."""
        self._connect = connect
        self._begin = begin
        self._connection: Connection | None = None

    def begin(self) -> Connection:
        """Return the connection in a transaction that has just begun."""
        if self._connection is not None:
            try:
                self._begin(self._connection)
            except Exception as error:
                if is_busy(error) or not is_failure(error):
                    raise
                # The server was lost and may be back: nothing was done yet, so try again, once.
                self.abandon()
            else:
                return self._connection
        self._connection = self._connect()
        self._begin(self._connection)
        return self._connection

    def abandon(self) -> None:
        """Discard the connection and its state; the next transaction opens a new one."""
        if self._connection is not None:
            self._connection.invalidate()
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Reader:
    """Runs queries one after the other, each over one unchanging view of the database."""

    def __init__(self, database: Database) -> None:
        """Prepare a thread, which starts and connects for its first query."""
        self._database = database
        self._kept = PersistentConnection(database.connect_reader, database.begin_reading)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock-reader")

    async def read(self, query: Query[T]) -> T:
        """Run `query` in the thread and return what it found.

        Raises:
            StoreError: the database failed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, query)

    def close(self) -> None:
        """Run the queries that were submitted, then stop."""
        self._thread.shutdown()
        self._kept.close()

    # ---- in the thread ----

    def _read(self, query: Query[T]) -> T:
        try:
            connection = self._kept.begin()
            found = query(connection)
            self._database.commit(connection)
        except BaseException as error:
            self._kept.abandon()
            if isinstance(error, Exception) and is_failure(error):
                raise explain(error, store=self._database.name) from error
            raise
        return found
