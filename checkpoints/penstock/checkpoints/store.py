"""The store: the one door to everything durable."""

import asyncio
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Dialect

from penstock.checkpoints.connections import Query, Reader
from penstock.checkpoints.database import BUSY_TIMEOUT_S, Database
from penstock.checkpoints.failures import explain, is_failure
from penstock.checkpoints.migration import require_current
from penstock.checkpoints.writer import Change, OnFailure, Writer

T = TypeVar("T")


class Store:
    """A database that is open for work: changes go through one writer, queries beside it.

    Changes and queries are plain synchronous functions that take a connection. Asynchronous code
    awaits `write` and `read`; a page or a script calls `write_blocking` and `read_blocking`.
    """

    def __init__(self, database: Database) -> None:
        """Open `database`, whose tables must be up to date; see `open`."""
        self._database = database
        self._writer = Writer(database)
        self._reader = Reader(database)

    @classmethod
    def open(cls, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open the store at `url`, as SQLAlchemy spells it: `sqlite:///penstock.db`.

        Raises:
            MigrationNeeded: its tables are not those of this version.
            StoreError: it cannot be opened.
            ValueError: it is neither SQLite in a file nor PostgreSQL.
        """
        database = Database(url, busy_timeout_s=busy_timeout_s)
        try:
            require_current(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def name(self) -> str:
        """The store's URL without a password, for messages."""
        return self._database.name

    @property
    def dialect(self) -> Dialect:
        """The database's dialect of SQL."""
        return self._database.dialect

    @property
    def commit_count(self) -> int:
        """How many durable commits the writer has made."""
        return self._writer.commit_count

    async def write(self, change: Change[T], *, on_failure: OnFailure | None = None) -> T:
        """Run `change` and return its result once it is durable; see `Writer.write`."""
        return await self._writer.write(change, on_failure=on_failure)

    def write_blocking(self, change: Change[T], *, on_failure: OnFailure | None = None) -> T:
        """Run `change` and return its result once it is durable, keeping the thread waiting."""
        return self._writer.write_blocking(change, on_failure=on_failure)

    def post(self, change: Change[T], *, on_failure: OnFailure | None = None) -> "Future[T]":
        """Hand in `change` without waiting for it; see `Writer.post`."""
        return self._writer.post(change, on_failure=on_failure)

    async def read(self, query: Query[T]) -> T:
        """Run `query` in the reader's thread; see `Reader.read`."""
        return await self._reader.read(query)

    def read_blocking(self, query: Query[T]) -> T:
        """Run `query` here, over one unchanging view of the database.

        Raises:
            StoreError: the database failed.
        """
        try:
            with self._database.read() as connection:
                return query(connection)
        except Exception as error:
            if is_failure(error):
                raise explain(error, store=self.name) from error
            raise

    async def scrub(self) -> str | None:
        """Have nothing left in the store's files of what was erased; say what may still be there.

        Raises:
            StoreError: the database failed.
        """
        return await asyncio.to_thread(self._scrub)

    def _scrub(self) -> str | None:
        try:
            return self._database.scrub()
        except Exception as error:
            if is_failure(error):
                raise explain(error, store=self.name) from error
            raise

    def close(self) -> None:
        """Finish what was handed in, then let the database go."""
        self._writer.close()
        self._reader.close()
        self._database.close()

    def __enter__(self) -> Self:
        """Use the store as a context manager that closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()
