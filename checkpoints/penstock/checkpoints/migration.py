"""Migration of the store's tables to the form that this version needs: forward only, by Alembic."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from penstock.checkpoints.database import Database
from penstock.checkpoints.failures import explain, is_failure
from penstock.contracts.errors import MigrationNeeded

HEAD = "0016"
"""The newest migration, which the code of this version works with."""

_ADVISORY_LOCK = 0x70656E73
# PostgreSQL: one migration at a time, whoever starts it.


def migrate(url: str) -> str | None:
    """Create the store at `url`, or bring it up to date; return the revision that it had before.

    All steps are one transaction: a store is migrated whole, or unchanged. Two processes that
    start together migrate one after the other.

    Raises:
        MigrationNeeded: the store was made by a newer version.
        StoreError: the store cannot be opened or written.
    """
    database = Database(url)
    try:
        with database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            before = revision(connection)
            _refuse_newer(before, database)
            from alembic import command  # noqa: PLC0415  (slow, and needed by migrations alone)
            from alembic.config import Config  # noqa: PLC0415

            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)
            return before
    except Exception as error:
        if is_failure(error):
            raise explain(error, store=database.name) from error
        raise
    finally:
        database.close()


def revision(connection: Connection) -> str | None:
    """Return the newest migration that the store has had; None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def require_current(database: Database) -> None:
    """Make sure that this version can work with the store.

    Raises:
        MigrationNeeded: it cannot, until it is migrated or the program updated.
        StoreError: the store cannot be read.
    """
    try:
        with database.read() as connection:
            found = revision(connection)
    except Exception as error:
        if is_failure(error):
            raise explain(error, store=database.name) from error
        raise
    _refuse_newer(found, database)
    if found != HEAD:
        have = "is empty" if found is None else f"is at migration {found}"
        msg = f"the store `{database.name}` {have} and this version wants {HEAD}; migrate it first"
        raise MigrationNeeded(msg)


def _refuse_newer(found: str | None, database: Database) -> None:
    if found is not None and found > HEAD:
        msg = (
            f"the store `{database.name}` is at migration {found} and this version knows only up"
            f" to {HEAD}; install the version that migrated it, or a newer one"
        )
        raise MigrationNeeded(msg)
