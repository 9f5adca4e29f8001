"""A project of its own for each test, whose modules are forgotten afterwards."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.projects import AGENT, Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A LangGraph project with `agent.py` in it, and no `langgraph.json` yet."""
    path, modules = list(sys.path), set(sys.modules)
    made = Project(tmp_path)
    made.write("agent.py", AGENT)
    yield made
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
