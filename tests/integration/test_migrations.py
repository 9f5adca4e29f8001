"""A migrated store is the one the code knows, whoever migrates it and however often."""

import sqlite3
import threading
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateTable

from penstock.checkpoints import Store, migrate, migration
from penstock.checkpoints.database import Database
from penstock.checkpoints.migration import HEAD
from penstock.checkpoints.schema import metadata
from penstock.contracts.errors import MigrationNeeded, StoreBroken


def shape(database: Database) -> dict[str, Any]:
    """Return everything about a database's tables that an inspector can see."""
    with database.read() as connection:
        inspector = inspect(connection)
        return {
            table: {
                "columns": [
                    {**column, "type": repr(column["type"])}
                    for column in inspector.get_columns(table)
                ],
                "key": inspector.get_pk_constraint(table),
                "foreign": inspector.get_foreign_keys(table),
                "indexes": sorted(
                    (str(index["name"]), index["column_names"], _condition(index))
                    for index in inspector.get_indexes(table)
                ),
                "unique": sorted(
                    inspector.get_unique_constraints(table), key=lambda one: str(one["name"])
                ),
                "checks": sorted(
                    inspector.get_check_constraints(table), key=lambda one: str(one["name"])
                ),
            }
            for table in inspector.get_table_names()
            if table != "alembic_version"
        }


def _condition(index: Any) -> list[str]:
    return sorted(str(option) for option in index.get("dialect_options", {}).values())


def sqlite_shape(database: Database) -> dict[str, str]:
    """Return the statements that made a SQLite database, as it keeps them itself."""
    with database.read() as connection:
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        ).fetchall()
    return {name: "".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def test_a_migrated_store_equals_a_fresh_one(empty_database_url: str, tmp_path: Any) -> None:
    migrate(empty_database_url)
    migrated = Database(empty_database_url)
    found = shape(migrated)
    with migrated.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    if migrated.dialect.name == "sqlite":
        fresh = Database(f"sqlite:///{tmp_path / 'fresh.db'}")
    else:
        fresh = migrated
        with fresh.write() as connection:
            metadata.drop_all(connection)
    with fresh.write() as connection:
        metadata.create_all(connection)
    assert found == shape(fresh)
    if fresh.dialect.name == "sqlite":
        assert _constraints(sqlite_shape(migrated)) == _constraints(sqlite_shape(fresh))
    migrated.close()
    fresh.close()


def _constraints(made: dict[str, str]) -> dict[str, list[str]]:
    # Two ways of saying the same differ at most in the order of the constraints.
    return {name: sorted(sql.replace(")", ",").split(",")) for name, sql in made.items()}


def test_migrating_again_changes_nothing_and_tells_where_it_began(empty_database_url: str) -> None:
    assert migrate(empty_database_url) is None
    assert migrate(empty_database_url) == migration.HEAD


def test_the_code_wants_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(migration.__file__).replace("migration.py", "migrations"))
    assert scripts.get_current_head() == migration.HEAD
    assert scripts.get_bases() == ["0001"]


def test_processes_that_start_together_migrate_once(empty_database_url: str) -> None:
    began: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: began.append(migrate(empty_database_url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(began, key=str) == [*[HEAD] * 3, None]


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("cut off")

    def upgrade_then_fail(*arguments: Any) -> None:
        upgrade(*arguments)
        fail()

    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", upgrade_then_fail)
    with pytest.raises(RuntimeError, match="cut off"):
        migrate(empty_database_url)
    monkeypatch.undo()
    database = Database(empty_database_url)
    assert shape(database) == {}
    database.close()
    assert migrate(empty_database_url) is None


def test_a_store_that_was_never_migrated_is_not_opened(empty_database_url: str) -> None:
    with pytest.raises(MigrationNeeded, match=f"is empty and this version wants {HEAD}"):
        Store.open(empty_database_url)


def test_a_store_of_a_newer_version_is_neither_opened_nor_touched(empty_database_url: str) -> None:
    migrate(empty_database_url)
    database = Database(empty_database_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    for attempt in (Store.open, migrate):
        with pytest.raises(MigrationNeeded, match="is at migration 9999"):
            attempt(empty_database_url)


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Any) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a database at all, but long enough to be read as one. " * 20)
    for attempt in (Store.open, migrate):
        with pytest.raises(StoreBroken, match="file is not a database"):
            attempt(f"sqlite:///{path}")
    assert path.read_text().startswith("Not a database")


def test_a_new_file_that_another_process_is_opening_is_waited_for(
    empty_sqlite_url: str, tmp_path: Any
) -> None:
    other = sqlite3.connect(tmp_path / "penstock.db", check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    leaving = threading.Timer(0.2, other.close)
    leaving.start()
    assert migrate(empty_sqlite_url) is None
    leaving.join()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://", "database in memory"),
        ("sqlite:///:memory:", "database in memory"),
        ("mysql://host/name", "`mysql` is not a database Penstock runs on"),
    ],
)
def test_a_store_that_cannot_be_one_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Store.open(url)


def test_sqlite_waits_for_the_disk_at_every_commit(sqlite_url: str) -> None:
    database = Database(sqlite_url, busy_timeout_s=7)

    def settings(connection: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    full = 2
    with database.read() as connection:
        assert settings(connection) == ["wal", full, 7000, 1]
    with database.connect_writer() as connection:
        assert settings(connection) == ["wal", full, 7000, 1]
    database.close()


def test_postgresql_waits_for_the_disk_at_every_commit(postgresql_url: str) -> None:
    database = Database(postgresql_url, busy_timeout_s=7)
    with database.connect_writer() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar()
            for name in ("synchronous_commit", "lock_timeout")
        ]
    assert shown == ["on", "7s"]
    database.close()


def test_every_constraint_and_index_has_a_name() -> None:
    for table in metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints), CreateTable(table)
        assert all(index.name for index in table.indexes)
