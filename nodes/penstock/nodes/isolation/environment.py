"""The variables that a tool's process sees: what nobody minds of the worker's, and its own."""

import os
from collections.abc import Mapping
from pathlib import Path

KEPT = frozenset({"PATH", "LANG", "LANGUAGE", "TZ"})
"""Variables that are handed on, beside `LC_*`."""


def clean(home: Path) -> dict[str, str]:
    """Return this process's environment without what is not a tool's, and with a home of its own.

    LangGraph's strict mode is on: it is read when a tool's module imports LangGraph.
    """
    kept = {
        name: value for name, value in os.environ.items() if name in KEPT or name.startswith("LC_")
    }
    return {
        **kept,
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANGGRAPH_STRICT_MSGPACK": "true",
    }


def clean_up(home: Path) -> None:
    """Make that the environment of this process, to which imported modules may have added."""
    cleaned = clean(home)
    os.environ.clear()
    os.environ.update(cleaned)


def add(variables: Mapping[str, str]) -> None:
    """Add variables to this process's environment."""
    os.environ.update(variables)
