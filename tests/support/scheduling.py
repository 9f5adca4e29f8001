"""How tests are spread over processes: one by one, but those that share something costly together.

The marks of pytest-xdist that would say so have no effect with pytest 9.2, which keeps the ids of
tests elsewhere than pytest-xdist 3.8 looks for them.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/browser/",)
"""Folders of which one process runs all tests: they share a Chromium and a Phoenix."""


class Scheduling(LoadScopeScheduling):
    """Gives a process the next test when it has run out, or all tests of a folder at once."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)


class SpreadTests:
    """A pytest plugin that has pytest-xdist schedule so."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Scheduling:
        """Make the scheduler of a session."""
        return Scheduling(config, log)
