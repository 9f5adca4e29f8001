"""A connection that is kept from one transaction to the next."""

from collections.abc import Callable

from sqlalchemy import Connection

from penstock.checkpoints.failures import is_busy, is_failure


class KeptConnection:
    """One connection of one thread, opened when it is first needed and anew when it was lost."""

    def __init__(
        self, connect: Callable[[], Connection], begin: Callable[[Connection], None]
    ) -> None:
        """Open with `connect`, and begin transactions with `begin`, which asks the database."""
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
                # The server has gone and may be back: nothing was done yet, so try anew, once.
                self.abandon()
            else:
                return self._connection
        self._connection = self._connect()
        self._begin(self._connection)
        return self._connection

    def abandon(self) -> None:
        """Trust nothing that the connection holds; the next transaction opens a new one."""
        if self._connection is not None:
            self._connection.invalidate()
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
