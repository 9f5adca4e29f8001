"""What the SQLite connections of a contestant do to the disk: counted, and slowed on demand.

Every contestant writes through one connection, and commits by its `commit` method: the stock savers
call it, SQLAlchemy calls it for Penstock. So one subclass of `sqlite3.Connection`, given to each
as the connection's factory, counts the commits of all in the same way. In WAL mode with
`synchronous=FULL` a commit is one fsync of the log, so a disk whose fsync takes 3 ms longer is one
whose every commit does: the subclass sleeps before it commits, inside the transaction, without
the interpreter's lock. A transaction that changed nothing costs no fsync; it is neither counted
nor slowed.
"""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

JOURNAL_MODE = "wal"
SYNCHRONOUS = 2
"""SQLite's number for `FULL`."""


class NotComparable(Exception):
    """Two contestants did not work under the same conditions."""


@dataclass(slots=True)
class Tally:
    """What the connections of one contestant did."""

    delay_s: float
    """How much longer every commit takes than the disk does."""
    commit_count: int = 0
    """How many transactions that changed something were committed."""
    journal_mode: str | None = None
    """What SQLite says, asked on the connection that wrote."""
    synchronous: int | None = None
    """What SQLite says, asked on the connection that wrote."""

    def connection_class(self) -> type[sqlite3.Connection]:
        """Return a class of connections that report to this tally."""
        tally = self

        class Counted(sqlite3.Connection):
            written = 0

            def commit(self) -> None:
                """Commit; if something was written, count it and take the time it is to take."""
                written = self.total_changes
                if written == self.written:
                    super().commit()
                    return
                self.written = written
                if tally.delay_s:
                    time.sleep(tally.delay_s)  # noqa: TID251  (the disk sleeps, not the product)
                super().commit()
                tally.commit_count += 1
                if tally.journal_mode is None:
                    (tally.journal_mode,) = self.execute("PRAGMA journal_mode").fetchone()
                    (tally.synchronous,) = self.execute("PRAGMA synchronous").fetchone()

        return Counted

    def watch(self, engine: Engine) -> None:
        """Have every connection that `engine` will open report here."""
        factory = self.connection_class()

        def give_factory(_dialect: Any, _record: Any, _args: Any, params: dict[str, Any]) -> None:
            params["factory"] = factory

        event.listen(engine, "do_connect", give_factory)

    def require_comparable(self, *, name: str, wall_s: float, commit_count: int) -> None:
        """Make sure that the conditions held for the last `commit_count` commits of `name`.

        Raises:
            NotComparable: they were not durable in the same way, or not slowed.
        """
        if (self.journal_mode, self.synchronous) != (JOURNAL_MODE, SYNCHRONOUS):
            msg = (
                f"{name} wrote with journal_mode={self.journal_mode},"
                f" synchronous={self.synchronous}; wanted {JOURNAL_MODE} and {SYNCHRONOUS}"
            )
            raise NotComparable(msg)
        if wall_s < commit_count * self.delay_s:
            msg = (
                f"{name} made {commit_count} commits in {wall_s:.3f} s, though each should take"
                f" {self.delay_s} s longer: the delay is not in force"
            )
            raise NotComparable(msg)


def size_of(path: Path) -> int:
    """Return the bytes of a database that nobody has open, its log merged into it."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
    return path.stat().st_size


def used_in(path: Path) -> int:
    """Return the bytes of the pages that hold something."""
    connection = sqlite3.connect(path)
    try:
        ((pages,), (free,), (page_bytes,)) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "freelist_count", "page_size")
        )
    finally:
        connection.close()
    return (pages - free) * page_bytes


def vacuum(path: Path) -> None:
    """Give the free pages of a database that nobody has open back to the disk."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("VACUUM")
    finally:
        connection.close()
