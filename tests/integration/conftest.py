"""Stores that are open, on each kind of database."""

from collections.abc import Iterator

import pytest

from penstock.checkpoints import Checkpointer, Store, migrate
from support.runs import Runs


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated store that is open."""
    migrate(database_url)
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
