"""What only SQLite needs: how a connection is set up, and how its transactions begin."""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, event, func
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from penstock.checkpoints.failures import is_busy

BEGUN = "penstock_begun"
"""Execution option of a connection whose transactions are begun by hand."""

LOG_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this once it has been merged into the database."""


def prepare(engine: Engine, *, busy_timeout_s: float) -> None:
    """Make every connection of `engine` durable, patient and explicit about transactions.

    WAL lets readers go on beside the one writer. `synchronous=FULL` makes a commit wait for the
    disk: a lost row in the ledger of effects would be a lost intent.
    """
    pragmas = (
        f"busy_timeout = {int(busy_timeout_s * 1000)}",
        "synchronous = FULL",
        "foreign_keys = ON",
        # Where it writes what a savepoint would take back: in a file, each change would make one.
        "temp_store = MEMORY",
        f"journal_size_limit = {LOG_LIMIT_BYTES}",
        # What is erased is overwritten: nobody is to find it in the file again.
        "secure_delete = ON",
    )

    def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        driver: Any = connection
        # Python's own transaction handling would begin and commit behind our back.
        driver.isolation_level = None
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}").close()
        # The one step that fails at once where others wait: several processes may be opening a
        # new file together.
        for attempt in Retrying(
            retry=retry_if_exception(is_busy),
            stop=stop_after_delay(busy_timeout_s),
            wait=wait_random(0.005, 0.05),
            reraise=True,
        ):
            with attempt:
                driver.execute("PRAGMA journal_mode = WAL").close()

    def begin(connection: Connection) -> None:
        # SQLAlchemy begins when it is first used; one that is begun by hand has begun before.
        if not connection.get_execution_options().get(BEGUN, False):
            connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)


def begin_writing(driver: Any) -> None:
    """Begin a transaction that holds the write lock from its beginning.

    A read that becomes a write later could not wait for the lock: what it has read would be old.
    """
    driver.execute("BEGIN IMMEDIATE")


def scrub(driver: Any) -> bool:
    """Merge the log into the database and empty it; return whether nobody was in the way.

    The log holds pages as they were before something was erased.
    """
    busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def instant(*, plus_s: ColumnElement[Any]) -> ColumnElement[datetime]:
    """Return SQL for the present instant, and so many seconds, as SQLAlchemy stores one."""
    later = func.printf("%+.3f seconds", plus_s)
    return func.strftime("%Y-%m-%d %H:%M:%f000", "now", later)


def file_of(url: URL) -> Path:
    """Return the path of the database's file; a store in memory would not survive anything."""
    if url.database in {None, "", ":memory:"}:
        msg = f"`{url}` names a database in memory; name a file, as in `sqlite:///penstock.db`"
        raise ValueError(msg)
    return Path(str(url.database))
