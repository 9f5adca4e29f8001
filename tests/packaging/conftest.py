"""The distributions that the packaging tests look into, built once."""

import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from support.checkout import ROOT


def build(destination: Path, *options: str) -> Path:
    """Build this checkout with what is installed here, and give the wheel."""
    uv = (find_uv_bin(), "build", "--quiet", "--offline", "--no-build-isolation")
    where = ("--python", sys.executable, "--out-dir", destination, ROOT)
    subprocess.run([*uv, *options, *where], check=True)
    (wheel,) = destination.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build(tmp_path_factory.mktemp("wheel"), "--wheel")


@pytest.fixture(scope="session")
def wheel_from_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from this checkout's source distribution."""
    return build(tmp_path_factory.mktemp("wheel_from_sdist"))
