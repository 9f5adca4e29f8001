"""Fixtures for all tests: databases and stores to work on, and an account of what was left out."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# LangGraph reads it once, when it is first imported; what tests start inherits it.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from penstock.checkpoints import Checkpointer, Store
from support.databases import DISK, empty_sqlite, migrated_sqlite, use_memory
from support.left_out import LeftOut
from support.postgres import PostgresCluster, find_postgres
from support.runs import Runs
from support.scheduling import SpreadTests

use_memory()

# How long an example takes says how busy the machine is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Spread tests over processes, and have an account given of those that were left out."""
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    config.pluginmanager.register(LeftOut(in_ci=in_ci))
    config.pluginmanager.register(SpreadTests())


def _cluster(*, folder: str | None, is_durable: bool) -> Iterator[PostgresCluster]:
    binaries = find_postgres()
    if binaries is None:
        pytest.skip("PostgreSQL's server programs were not found: install postgresql")
    cluster = PostgresCluster(binaries, folder=folder, is_durable=is_durable)
    cluster.start()
    yield cluster
    cluster.stop(mode="immediate")
    cluster.remove()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """A PostgreSQL server that lives as long as the session; do not stop it, others use it."""
    yield from _cluster(folder=None, is_durable=False)


@pytest.fixture(scope="session")
def durable_cluster() -> Iterator[PostgresCluster]:
    """A PostgreSQL server on the disk, with the settings that keep what it has acknowledged."""
    yield from _cluster(folder=DISK, is_durable=True)


@pytest.fixture
def postgresql_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database, dropped after the test."""
    url = postgres_cluster.create_database()
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture
def empty_postgresql_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, dropped after the test."""
    url = postgres_cluster.create_database(is_migrated=False)
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a migrated SQLite file."""
    return migrated_sqlite(tmp_path)


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return empty_sqlite(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database, on each kind that Penstock runs on."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, on each kind, for tests of how it gets its tables."""
    return request.getfixturevalue(f"empty_{request.param}_url")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated store that is open."""
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def saver(store: Store) -> Checkpointer:
    """A checkpointer on the open store."""
    return Checkpointer(store)


@pytest.fixture
def runs(store: Store) -> Runs:
    """Runs on the open store."""
    return Runs(store)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A migrated store for all tests of a module."""
    if request.param == "sqlite":
        url = migrated_sqlite(tmp_path_factory.mktemp("shared"))
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres_cluster")
        url = cluster.create_database()
    with Store.open(url) as opened:
        yield opened
