"""Faults that tests bring about inside one process."""

import sqlite3
import threading
from types import TracebackType
from typing import Any

import pytest
from sqlalchemy import Connection

from penstock.checkpoints import Store


class Held:
    """Holds the writer up, so that a batch gathers behind it."""

    def __init__(self, store: Store) -> None:
        self._entered = threading.Event()
        self._let_go = threading.Event()
        store.post(self._wait)
        self._entered.wait()

    def _wait(self, _: Connection) -> None:
        self._entered.set()
        # Not for ever: a test that fails must still be able to close its store.
        self._let_go.wait(timeout=60)

    def let_go(self) -> None:
        """Let the writer go on."""
        self._let_go.set()


class CommitFails:
    """Stands for a disk that refuses every commit while this is entered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
        self._patch = monkeypatch
        self._dialect: Any = store.dialect

    def __enter__(self) -> None:
        def refuse(connection: Any) -> None:
            connection.rollback()
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

        self._patch.setattr(self._dialect, "do_commit", refuse)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._patch.undo()
