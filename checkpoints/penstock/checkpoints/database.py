"""A database the store lives in, SQLite in a file or PostgreSQL, and what differs between them."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from penstock.checkpoints.audit import chain
from penstock.checkpoints.failures import is_busy
from penstock.checkpoints.statements import raw

_BEGUN = "penstock_begun"
"""Execution option of a connection whose transactions `Database` begins itself."""

_LOG_LIMIT_BYTES = 64 * 1024 * 1024
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
"""The tables that the contents of a forgotten run are erased from."""


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
                _sqlite_file(parsed).parent.mkdir(parents=True, exist_ok=True)
                self._engine = create_engine(parsed)
                _prepare_sqlite(self._engine, busy_timeout_s=busy_timeout_s)
            case "postgresql":
                timeout = f"-c lock_timeout={int(busy_timeout_s * 1000)}"
                self._engine = create_engine(
                    parsed, connect_args={"options": timeout}, pool_pre_ping=True
                )
            case other:
                msg = f"`{other}` is not a database Penstock runs on; use `sqlite` or `postgresql`"
                raise ValueError(msg)
        self._writing = self._engine.execution_options(**{_BEGUN: True})
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
        """Yield a connection that sees one state of the database throughout."""
        with self._engine.connect() as connection:
            if self.dialect.name == "postgresql":
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            connection.begin()
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """Yield a connection in a transaction that is committed at the end; for a migration."""
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

        It makes a trip to the database in any case: a lost connection is noticed here, where
        nothing was done yet.
        """
        chain.begin(connection)
        if self.dialect.name == "sqlite":
            # A read that becomes a write could not wait for the lock: its view would be outdated.
            raw(connection).execute("BEGIN IMMEDIATE")
        else:
            raw(connection).execute("SELECT 1")

    def connect_reader(self) -> Connection:
        """Open a connection to read with, between `begin_reading` and `commit`."""
        return self._reading.connect()

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction that sees one state of the database, with a trip to it."""
        if self.dialect.name == "sqlite":
            raw(connection).execute("BEGIN")
        else:
            raw(connection).execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit_writing(self, connection: Connection) -> None:
        """End a transaction: write its audit events, and make it durable.

        Raises:
            AuditBroken: the audit chain is inconsistent, and nothing may be added to it.
        """
        chain.seal(connection)
        self.commit(connection)
        chain.end(connection)

    def commit(self, connection: Connection) -> None:
        """End a transaction that was begun by `begin_reading`, or has no audit events."""
        if connection.in_transaction():
            connection.commit()
        else:
            self.dialect.do_commit(connection.connection)

    def scrub(self) -> str | None:
        """Remove erased data from the database's files; return what may still hold some."""
        if self.dialect.name == "sqlite":
            with self._writing.connect() as connection:
                is_done = _truncate_log(raw(connection))
            return None if is_done else "the log could not be emptied, as somebody reads; try again"
        with self._reading.connect() as connection:
            for table in ERASED_FROM:
                connection.exec_driver_sql(f"VACUUM {table}")
        return "what PostgreSQL has archived, and pages until they are used again"

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


def durability(connection: Connection) -> Mapping[str, str]:
    """Return the database's settings that durability depends on."""
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


def _sqlite_file(url: URL) -> Path:
    """Return the path of the database's file; a store in memory would not survive anything."""
    if url.database in {None, "", ":memory:"}:
        msg = f"`{url}` names a database in memory; name a file, as in `sqlite:///penstock.db`"
        raise ValueError(msg)
    return Path(str(url.database))


def _prepare_sqlite(engine: Engine, *, busy_timeout_s: float) -> None:
    """Make every connection of `engine` durable, patient and explicit about transactions.

    WAL lets readers go on beside the one writer. `synchronous=FULL` makes a commit wait for the
    disk: a lost row in the ledger of effects would be a lost intent.
    """
    pragmas = (
        f"busy_timeout = {int(busy_timeout_s * 1000)}",
        "synchronous = FULL",
        "foreign_keys = ON",
        # The journal of savepoints stays in memory: otherwise each change would create a file.
        "temp_store = MEMORY",
        f"journal_size_limit = {_LOG_LIMIT_BYTES}",
        # Erased data is overwritten, so that it cannot be found in the file.
        "secure_delete = ON",
    )

    def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        driver: Any = connection
        # Python's own transaction handling would begin and commit implicitly.
        driver.isolation_level = None
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}").close()
        # This step fails at once where others wait: several processes may open a new file
        # together.
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
        if not connection.get_execution_options().get(_BEGUN, False):
            connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)


def _truncate_log(driver: Any) -> bool:
    """Merge the log into the database and empty it; return whether it succeeded.

    The log holds pages from before an erasure. A reader keeps it from being emptied.
    """
    busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
