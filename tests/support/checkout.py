"""The checkout that is under test: where it lies, its rooms and its configuration."""

import os
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

ROOMS = sorted(part.parent.name for part in ROOT.glob("*/penstock") if part.is_dir())
"""The top-level folders that hold a part of the namespace package."""


def read_pyproject() -> dict[str, Any]:
    """Read `pyproject.toml`, whose shape is known to those who ask."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def import_path() -> str:
    """Return the `PYTHONPATH` with which a program of the tests finds this checkout."""
    return os.pathsep.join(str(ROOT / folder) for folder in (*ROOMS, "tests"))
