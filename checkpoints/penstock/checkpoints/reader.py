"""The reader: one thread that runs queries over a connection of its own.

Taking a connection from a pool, beginning and giving it back costs several times what a small
query does.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from penstock.checkpoints.database import Database
from penstock.checkpoints.failures import explain, is_failure
from penstock.checkpoints.kept import KeptConnection

T = TypeVar("T")
Query = Callable[[Connection], T]
"""A plain function that reads through the connection it is given."""


class Reader:
    """Runs queries one after the other, each over one unchanging view of the database."""

    def __init__(self, database: Database) -> None:
        """Prepare a thread, which starts and connects for its first query."""
        self._database = database
        self._kept = KeptConnection(database.connect_reader, database.begin_reading)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock-reader")

    async def read(self, query: Query[T]) -> T:
        """Run `query` in the thread and return what it found.

        Raises:
            StoreError: the database failed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, query)

    def close(self) -> None:
        """Finish what was handed in, then stop."""
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
