"""A world of its own for each test of the refund desk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The services, started in a folder that the desk looks into."""
    monkeypatch.setenv("REFUND_DESK_HOME", str(tmp_path))
    for name in ("PENSTOCK_MODEL", "REFUND_DESK_MAIL"):
        monkeypatch.delenv(name, raising=False)
    with World(tmp_path) as world:
        yield world
