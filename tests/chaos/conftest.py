"""A disk, and databases that keep what they have acknowledged on it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.databases import DISK, migrated_sqlite
from support.postgres import PostgresCluster


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """A folder on the machine's disk, which `tmp_path` need not be on."""
    with tempfile.TemporaryDirectory(prefix="penstock-", dir=DISK) as folder:
        yield Path(folder)


@pytest.fixture
def durable_sqlite_url(disk_path: Path) -> str:
    """The URL of a migrated SQLite file on the disk."""
    return migrated_sqlite(disk_path)


@pytest.fixture
def durable_postgresql_url(durable_cluster: PostgresCluster) -> Iterator[str]:
    """The URL of a migrated database of the PostgreSQL server on the disk."""
    url = durable_cluster.create_database()
    yield url
    durable_cluster.drop_database(url)
