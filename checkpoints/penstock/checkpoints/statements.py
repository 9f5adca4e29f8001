"""SQL for the hot path: written in Core, compiled once, executed through the driver.

A Core statement costs 30 to 50 microseconds each time it is executed; a checkpoint takes five of
them. Compiled once, they cost what the driver costs. Types that convert values on the way (an
instant, a JSON document) do not belong into such a statement.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ClauseElement, Connection, Dialect
from sqlalchemy.engine import Compiled


class Statement:
    """One compiled statement with named parameters."""

    __slots__ = ("_constants", "_order", "_sql")

    def __init__(
        self, clause: ClauseElement, dialect: Dialect, *, columns: Sequence[str] | None = None
    ) -> None:
        """Compile `clause`; an insert names the `columns` it fills."""
        compiled: Compiled = clause.compile(dialect=dialect, column_keys=columns)
        self._sql = str(compiled)
        order = cast("Sequence[str] | None", getattr(compiled, "positiontup", None))
        self._order = None if order is None else tuple(order)
        params = cast("Mapping[str, Any]", compiled.params)
        self._constants = {name: value for name, value in params.items() if value is not None}

    def execute(self, connection: Connection, params: Mapping[str, Any]) -> Any:
        """Execute once and return the driver's cursor."""
        return raw(connection).execute(self._sql, self._bind(params))

    def execute_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once for each of `rows`."""
        if len(rows) == 1:
            self.execute(connection, rows[0])
        elif rows:
            raw(connection).cursor().executemany(self._sql, [self._bind(row) for row in rows])

    def _bind(self, params: Mapping[str, Any]) -> Any:
        if self._order is None:
            return {**self._constants, **params} if self._constants else params
        if self._constants:
            params = {**self._constants, **params}
        return [params[name] for name in self._order]


def raw(connection: Connection) -> Any:
    """Return the driver's own connection, with its `execute`."""
    return connection.connection.driver_connection
