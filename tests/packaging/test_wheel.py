"""The wheel holds what the rooms hold, and works where the checkout is not."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from uv import find_uv_bin

from support.checkout import ROOMS, ROOT

RUNTIME = ROOT / "requirements" / "runtime.txt"

# Alembic runs these itself; outside a migration they cannot be imported.
MIGRATIONS = "/migrations/"

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    print(importlib.import_module(name).__file__)
"""


def test_wheel_holds_every_file_of_every_room(wheel: Path) -> None:
    held = {
        file.relative_to(ROOT / room).as_posix()
        for room in ROOMS
        for file in (ROOT / room / "penstock").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert _files(wheel) == held


def test_wheel_built_from_the_source_distribution_is_the_same(
    wheel: Path, wheel_from_sdist: Path
) -> None:
    assert wheel_from_sdist.name == wheel.name
    assert _files(wheel_from_sdist) == _files(wheel)


@pytest.mark.timeout(300)  # a cold cache has to be filled first
def test_every_module_imports_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    python = _make_environment(tmp_path / "venv", wheel)
    modules = [
        file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in sorted(_files(wheel))
        if file.endswith(".py") and MIGRATIONS not in file
    ]
    imported = subprocess.run(
        [python, "-I", "-c", IMPORT_ALL, *modules],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr
    files = imported.stdout.splitlines()
    assert len(files) == len(modules)
    assert all(Path(file).is_relative_to(tmp_path) for file in files)


def _files(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("penstock/")}


def _make_environment(folder: Path, wheel: Path) -> Path:
    """Install the wheel with the pinned runtime requirements, without extras, beside nothing."""
    uv = find_uv_bin()
    python = folder / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    sync = (uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", RUNTIME)
    # The set-up has filled uv's cache, so the network is asked only when the cache was cleared.
    if subprocess.run((*sync, "--offline"), capture_output=True, check=False).returncode != 0:
        subprocess.run(sync, check=True)
    install = (uv, "pip", "install", "--quiet", "--python", python, "--offline", "--no-deps")
    subprocess.run((*install, wheel), check=True)
    subprocess.run((uv, "pip", "check", "--quiet", "--python", python), check=True)
    return python
