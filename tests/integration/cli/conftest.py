"""The command line in a folder of its own."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.allowing import OPEN
from support.command_line import CommandLine
from support.databases import migrated_sqlite


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """The command line in an empty folder; what it does to the process is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_ACTOR", "ann")
    monkeypatch.setenv("PENSTOCK_POLICY", str(OPEN))
    monkeypatch.setenv("PENSTOCK_WORKER_POLL_S", "0.02")
    monkeypatch.setenv("PENSTOCK_WORKER_BEAT_S", "0.1")
    path, modules = list(sys.path), set(sys.modules)
    yield CommandLine(tmp_path)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]
    assert not logging.getLogger("penstock").handlers


@pytest.fixture
def cli(empty: CommandLine) -> CommandLine:
    """The command line in a project with a store."""
    empty.make_project()
    migrated_sqlite(empty.folder)
    return empty
