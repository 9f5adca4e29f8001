"""A database the store lives in: SQLite in a file, or PostgreSQL."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
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
    func,
    literal,
    make_url,
    type_coerce,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect

from penstock.checkpoints import sqlite
from penstock.checkpoints.audit import pen
from penstock.checkpoints.schema import UtcDateTime
from penstock.checkpoints.statements import raw

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
                sqlite.file_of(parsed).parent.mkdir(parents=True, exist_ok=True)
                self._engine = create_engine(parsed)
                sqlite.prepare(self._engine, busy_timeout_s=busy_timeout_s)
            case "postgresql":
                timeout = f"-c lock_timeout={int(busy_timeout_s * 1000)}"
                self._engine = create_engine(
                    parsed, connect_args={"options": timeout}, pool_pre_ping=True
                )
            case other:
                msg = f"`{other}` is not a database Penstock runs on; use `sqlite` or `postgresql`"
                raise ValueError(msg)
        self._writing = self._engine.execution_options(**{sqlite.BEGUN: True})
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
        pen.begin(connection)
        if self.dialect.name == "sqlite":
            sqlite.begin_writing(raw(connection))
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
        pen.seal(connection)
        self.commit(connection)
        pen.end(connection)

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
                is_done = sqlite.scrub(raw(connection))
            return None if is_done else "the log could not be emptied, as somebody reads; try again"
        with self._reading.connect() as connection:
            for table in ERASED_FROM:
                connection.exec_driver_sql(f"VACUUM {table}")
        return "what PostgreSQL has archived, and pages until they are used again"

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


def database_now(
    dialect: Dialect, *, plus_s: float | ColumnElement[float] = 0.0
) -> ColumnElement[datetime]:
    """Return SQL for what the database's own clock shows, and so many seconds."""
    seconds = literal(plus_s, Float) if isinstance(plus_s, int | float) else plus_s
    if dialect.name == "sqlite":
        return type_coerce(sqlite.instant(plus_s=seconds), UtcDateTime())
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
