"""SQL for both databases, and statements that are compiled once.

What differs between SQLite and PostgreSQL is built by functions here. Statements of the hot path
are written in Core, compiled once, and executed through the driver.

A Core statement costs 30 to 50 microseconds each time it is executed, and more where it is built
each time; a step takes five of them, a run eight. Compiled once, they cost what the driver costs.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Float,
    Insert,
    Select,
    Table,
    func,
    literal,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Compiled

from penstock.checkpoints.schema import UtcDateTime

Convert = Callable[[Any], Any]


class Statement:
    """One statement, compiled for one dialect, with named parameters."""

    __slots__ = ("_columns", "_constants", "_is_positional", "_params", "_sql")

    def __init__(
        self, clause: ClauseElement, dialect: Dialect, *, columns: Sequence[str] | None = None
    ) -> None:
        """Compile `clause`; an insert names the `columns` it fills."""
        compiled: Compiled = clause.compile(dialect=dialect, column_keys=columns)
        self._sql = str(compiled)
        order = cast("Sequence[str] | None", getattr(compiled, "positiontup", None))
        self._is_positional = order is not None
        names = cast("Mapping[Any, str]", getattr(compiled, "bind_names", {}))
        binds = {name: bind for bind, name in names.items()}
        convert: Mapping[str, Convert | None] = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in binds.items()
        }
        self._params = tuple((name, convert[name]) for name in (binds if order is None else order))
        self._constants = {
            name: bind.effective_value for name, bind in binds.items() if not bind.required
        }
        returned = cast("Mapping[str, Any]", getattr(clause, "exported_columns", {}))
        self._columns = tuple(
            (name, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for name, column in returned.items()
        )

    def execute(self, connection: Connection, params: Mapping[str, Any]) -> Any:
        """Execute once and return the driver's cursor."""
        return raw(connection).execute(self._sql, self._bind(params))

    def execute_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once for each of `rows`."""
        if len(rows) == 1:
            self.execute(connection, rows[0])
        elif rows:
            raw(connection).cursor().executemany(self._sql, [self._bind(row) for row in rows])

    def rows(self, connection: Connection, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Execute once and return what it selects or returns, by the names of its columns."""
        found = self.execute(connection, params).fetchall()
        return [
            {
                name: value if convert is None else convert(value)
                for (name, convert), value in zip(self._columns, row, strict=True)
            }
            for row in found
        ]

    def first(self, connection: Connection, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Execute once and return the first of its rows, if it has any."""
        found = self.rows(connection, params)
        return found[0] if found else None

    def _bind(self, params: Mapping[str, Any]) -> Any:
        if self._constants:
            params = {**self._constants, **params}
        if self._is_positional:
            return [
                params[name] if convert is None else convert(params[name])
                for name, convert in self._params
            ]
        return {
            name: params[name] if convert is None else convert(params[name])
            for name, convert in self._params
        }


class Prepared:
    """A statement that is compiled when it is first needed, once for each dialect."""

    def __init__(
        self, build: Callable[[Dialect], Executable], *, columns: Sequence[str] | None = None
    ) -> None:
        """Build with `build`; an insert names the `columns` it fills."""
        self._build = build
        self._columns = columns
        self._compiled: WeakKeyDictionary[Dialect, Statement] = WeakKeyDictionary()

    def on(self, connection: Connection) -> Statement:
        """Return the statement for the dialect of `connection`."""
        dialect = connection.dialect
        statement = self._compiled.get(dialect)
        if statement is None:
            clause = cast("ClauseElement", self._build(dialect))
            statement = Statement(clause, dialect, columns=self._columns)
            self._compiled[dialect] = statement
        return statement

    def execute(self, connection: Connection, params: Mapping[str, Any]) -> Any:
        """Execute once and return the driver's cursor."""
        return self.on(connection).execute(connection, params)

    def rows(self, connection: Connection, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Execute once and return what it selects or returns, by the names of its columns."""
        return self.on(connection).rows(connection, params)

    def first(self, connection: Connection, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Execute once and return the first of its rows, if it has any."""
        return self.on(connection).first(connection, params)


def prepared(
    *columns: str,
) -> Callable[[Callable[[Dialect], Executable]], Prepared]:
    """Make a function that builds a statement into the statement; an insert names its columns."""
    return lambda build: Prepared(build, columns=columns or None)


def raw(connection: Connection) -> Any:
    """Return the driver's own connection, with its `execute`."""
    return connection.connection.dbapi_connection


def database_now(
    dialect: Dialect, *, plus_s: float | ColumnElement[float] = 0.0
) -> ColumnElement[datetime]:
    """Return SQL for the time of the database's own clock, plus a number of seconds."""
    seconds = literal(plus_s, Float) if isinstance(plus_s, int | float) else plus_s
    if dialect.name == "sqlite":
        return type_coerce(_sqlite_instant(plus_s=seconds), UtcDateTime())
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def insert_or_keep(dialect: Dialect, table: Table) -> Insert:
    """Return an insert that leaves an existing row as it is."""
    if dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_or_replace(
    dialect: Dialect,
    table: Table,
    *,
    key: tuple[str, ...],
    rows: Select[Any] | None = None,
) -> Insert:
    """Return an insert that takes the place of the row with the same `key`.

    It inserts the values of its caller, or what `rows` selects under the names of columns.
    """
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    names = [column.name for column in table.c]
    if rows is not None:
        names = list(rows.exported_columns.keys())
        insert = insert.from_select(names, rows)
    changed = {name: insert.excluded[name] for name in names if name not in key}
    return insert.on_conflict_do_update(index_elements=list(key), set_=changed)


def _sqlite_instant(*, plus_s: ColumnElement[Any]) -> ColumnElement[datetime]:
    """Return SQL for the present instant plus seconds, in SQLAlchemy's form of an instant."""
    later = func.printf("%+.3f seconds", plus_s)
    return func.strftime("%Y-%m-%d %H:%M:%f000", "now", later)
