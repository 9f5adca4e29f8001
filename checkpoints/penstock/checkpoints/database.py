"""A database the store lives in, SQLite in a file or PostgreSQL, and what differs between them."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Float,
    Insert,
    Select,
    Table,
    create_engine,
    event,
    func,
    literal,
    make_url,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from penstock.checkpoints.audit import chain
from penstock.checkpoints.failures import is_busy
from penstock.checkpoints.schema import UtcDateTime
from penstock.checkpoints.statements import raw

BEGUN = "penstock_begun"
"""Execution option of a connection whose transactions are begun by hand."""

LOG_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this once it has been merged into the database."""

BUSY_TIMEOUT_S = 30.0
"""How long a write waits for another process's transaction to end."""

ERASED_FROM = (
    *(
        "runs",
        "run_tags",
        "steps",
        "effects",
        "effect_reports",
        "effect_results",
        "gates",
        "gate_votes",
    ),
    *("decisions", "run_keys", "audit_events"),
    *("checkpoints", "checkpoint_values", "checkpoint_writes"),
)
"""The tables that a run which is forgotten is erased from."""


class Database:
    """One database and the two ways to talk to it: reading, and writing by one writer."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Prepare for `url`, as SQLAlchemy spells it; nothing is opened yet.

        Raises:
            ValueError: for a database that is neither SQLite in a file nor PostgreSQL.
        """
        parsed = make_url(url)
        self.name = parsed.render_as_string(hide_password=True)
        """The URL without its password, for messages."""
        match parsed.get_backend_name():
            case "sqlite":
                file_of(parsed).parent.mkdir(parents=True, exist_ok=True)
                self._engine = create_engine(parsed)
                prepare(self._engine, busy_timeout_s=busy_timeout_s)
            case "postgresql":
                timeout = f"-c lock_timeout={int(busy_timeout_s * 1000)}"
                self._engine = create_engine(
                    parsed, connect_args={"options": timeout}, pool_pre_ping=True
                )
            case other:
                msg = f"`{other}` is not a database Penstock runs on; use `sqlite` or `postgresql`"
                raise ValueError(msg)
        self._writing = self._engine.execution_options(**{BEGUN: True})
        # On PostgreSQL the driver would begin by itself, in a trip of its own.
        self._reading = self._writing.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def dialect(self) -> Dialect:
        """The database's dialect of SQL."""
        return self._engine.dialect

    @property
    def engine(self) -> Engine:
        """The engine that reads; for migrations and inspection."""
        return self._engine

    @contextmanager
    def read(self) -> Generator[Connection]:
        """Give a connection that sees one state of the database throughout."""
        with self._engine.connect() as connection:
            if self.dialect.name == "postgresql":
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            connection.begin()
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """Give a connection in a transaction that is committed at the end; for a migration."""
        with self.connect_writer() as connection:
            self.begin_writing(connection)
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            self.commit_writing(connection)

    def connect_writer(self) -> Connection:
        """Open a connection to write with, between `begin_writing` and `commit_writing`.

        They go around SQLAlchemy's own transactions, which cost as much as the writing itself
        where a batch is small.
        """
        return self._writing.connect()

    def begin_writing(self, connection: Connection) -> None:
        """Begin a transaction that writes; on SQLite it takes the write lock at once.

        It asks the database something in any case: a connection that was lost meanwhile is
        noticed here, where nothing was done yet.
        """
        chain.begin(connection)
        if self.dialect.name == "sqlite":
            begin_writing(raw(connection))
        else:
            raw(connection).execute("SELECT 1")

    def connect_reader(self) -> Connection:
        """Open a connection to read with, between `begin_reading` and `commit`."""
        return self._reading.connect()

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction that sees one state of the database; it asks, as the writer does."""
        if self.dialect.name == "sqlite":
            raw(connection).execute("BEGIN")
        else:
            raw(connection).execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit_writing(self, connection: Connection) -> None:
        """End a transaction with what it has to tell the audit, and make it all durable.

        Raises:
            AuditBroken: the audit is not as it was written, and nothing may be added to it.
        """
        chain.seal(connection)
        self.commit(connection)
        chain.end(connection)

    def commit(self, connection: Connection) -> None:
        """End a transaction that begun by `begin_reading`, or tells the audit nothing."""
        if connection.in_transaction():
            connection.commit()
        else:
            self.dialect.do_commit(connection.connection)

    def scrub(self) -> str | None:
        """Have nothing left in the database's files of what was erased; say what may be there."""
        if self.dialect.name == "sqlite":
            with self._writing.connect() as connection:
                is_done = scrub(raw(connection))
            return None if is_done else "the log could not be emptied, as somebody reads; try again"
        with self._reading.connect() as connection:
            for table in ERASED_FROM:
                connection.exec_driver_sql(f"VACUUM {table}")
        return "what PostgreSQL has archived, and pages until they are used again"

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


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


def database_now(
    dialect: Dialect, *, plus_s: float | ColumnElement[float] = 0.0
) -> ColumnElement[datetime]:
    """Return SQL for what the database's own clock shows, and so many seconds."""
    seconds = literal(plus_s, Float) if isinstance(plus_s, int | float) else plus_s
    if dialect.name == "sqlite":
        return type_coerce(instant(plus_s=seconds), UtcDateTime())
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def insert_or_keep(dialect: Dialect, table: Table) -> Insert:
    """Return an insert that leaves a row alone that is already there."""
    if dialect.name == "sqlite":
        return sqlite_dialect.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_or_replace(
    dialect: Dialect,
    table: Table,
    *,
    key: tuple[str, ...],
    rows: Select[Any] | None = None,
) -> Insert:
    """Return an insert that takes the place of the row with the same `key`.

    It adds what it is given as values, or what `rows` selects under the names of columns.
    """
    insert = (sqlite_dialect if dialect.name == "sqlite" else postgresql).insert(table)
    names = [column.name for column in table.c]
    if rows is not None:
        names = list(rows.exported_columns.keys())
        insert = insert.from_select(names, rows)
    changed = {name: insert.excluded[name] for name in names if name not in key}
    return insert.on_conflict_do_update(index_elements=list(key), set_=changed)


def durability(connection: Connection) -> Mapping[str, str]:
    """Return the database's own settings on which the promise to keep things rests."""
    if connection.dialect.name == "sqlite":
        names = {0: "off", 1: "normal", 2: "full", 3: "extra"}
        journal = connection.execute(text("PRAGMA journal_mode")).scalar()
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar()
        return {"journal_mode": str(journal), "synchronous": names.get(synchronous or 0, "?")}
    return {
        name: str(connection.execute(text(f"SHOW {name}")).scalar())
        for name in ("synchronous_commit", "fsync")
    }


def is_durable(found: Mapping[str, str]) -> bool:
    """Tell whether a commit that was acknowledged survives the loss of power."""
    if "journal_mode" in found:
        return found["journal_mode"] == "wal" and found["synchronous"] in {"full", "extra"}
    return found["synchronous_commit"] not in {"off", "local"} and found["fsync"] == "on"
