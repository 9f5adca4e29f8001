"""What a database's failure means, in words an operator can act on."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from penstock.contracts.errors import StoreBroken, StoreBusy, StoreError, StoreFull

_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BROKEN_CODES = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    },
)
_SQLITE_CODES = _BUSY_CODES | _BROKEN_CODES | {sqlite3.SQLITE_FULL}

# PostgreSQL: serialization failure, deadlock, lock not available.
_BUSY_STATES = frozenset({"40001", "40P01", "55P03"})
_FULL_STATES = frozenset({"53100"})
# The classes of connection failure, lack of resources, intervention, system and internal errors.
_FAILURE_CLASSES = frozenset({"08", "53", "57", "58", "XX"})


def is_failure(error: BaseException) -> bool:
    """Tell whether the database itself failed, rather than refused what it was asked."""
    cause = _cause(error)
    if isinstance(cause, sqlite3.Error):
        return _sqlite_code(cause) in _SQLITE_CODES
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = _state(cause)
    if state is None:
        # What a driver raises when it has lost the server carries no state from the server.
        return type(cause).__name__ == "OperationalError"
    return state in _BUSY_STATES or state[:2] in _FAILURE_CLASSES


def is_busy(error: BaseException) -> bool:
    """Tell whether somebody else's lock was in the way, so that trying again may help."""
    cause = _cause(error)
    return _state(cause) in _BUSY_STATES or _sqlite_code(cause) in _BUSY_CODES


def explain(error: BaseException, *, store: str) -> StoreError:
    """Return the store error that `error` stands for; the caller raises it `from` that."""
    if isinstance(error, StoreError):
        return type(error)(str(error))
    cause = _cause(error)
    found = f"{type(cause).__name__}: {cause}".splitlines()[0]
    code, state = _sqlite_code(cause), _state(cause)
    if is_busy(error):
        return StoreBusy(
            f"the store `{store}` was locked by another process for longer than this one waits"
            f" ({found}); nothing was written; try again, and look for a stopped process"
            " if it happens often",
        )
    if state in _FULL_STATES or code == sqlite3.SQLITE_FULL:
        return StoreFull(
            f"the store `{store}` is full ({found}); nothing was written; make room on its disk"
            " and start again",
        )
    return StoreBroken(
        f"the store `{store}` failed ({found}); nothing of this was acknowledged; check its disk"
        " or server before going on",
    )


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _sqlite_code(cause: BaseException) -> int | None:
    # The low byte is the kind of error; the rest says where inside SQLite it arose.
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _state(cause: BaseException) -> str | None:
    return getattr(cause, "sqlstate", None)
