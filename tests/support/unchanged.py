"""A store that is held to be what it was."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select

from penstock.checkpoints import Store
from penstock.checkpoints.schema import metadata


def rows(store: Store) -> dict[str, list[Any]]:
    """Return everything that a store has."""
    return store.read_blocking(
        lambda tx: {
            table.name: sorted(map(repr, tx.execute(select(table))))
            for table in metadata.tables.values()
        }
    )


@asynccontextmanager
async def nothing_changed(store: Store) -> AsyncGenerator[None]:
    """Hold a store to be what it was, row by row."""
    before = rows(store)
    yield
    assert rows(store) == before
