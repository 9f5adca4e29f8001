"""Each room is one part of the namespace package, and every tool knows of it."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.checkout import ROOMS, ROOT, read_pyproject

PARTS = [f"{room}/penstock" for room in ROOMS]
PACKAGES = [f"penstock.{room}" for room in ROOMS]


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_owns_the_namespace(room: str) -> None:
    assert not (ROOT / room / "penstock" / "__init__.py").exists()


@pytest.mark.parametrize("room", ROOMS)
def test_room_holds_one_package_of_its_own_name(room: str) -> None:
    held = [entry.name for entry in (ROOT / room / "penstock").iterdir() if entry.is_dir()]
    assert [name for name in held if name != "__pycache__"] == [room]


@pytest.mark.parametrize("room", ROOMS)
def test_room_says_that_it_is_typed(room: str) -> None:
    assert (ROOT / room / "penstock" / room / "py.typed").is_file()


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (ROOMS, "hatch.build.dev-mode-dirs"),
        (PARTS, "hatch.build.targets.wheel.only-include"),
        (ROOMS, "hatch.build.targets.wheel.sources"),
        (ROOMS, "hatch.build.targets.sdist.only-include"),
        (ROOMS, "coverage.run.source_dirs"),
        (ROOMS, "pyright.include"),
        (ROOMS, "pyright.extraPaths"),
        (ROOMS, "pyright.executionEnvironments.0.extraPaths"),
        (ROOMS, "ruff.src"),
        (PARTS, "ruff.namespace-packages"),
        (ROOMS, "pytest.ini_options.pythonpath"),
        (PACKAGES, "importlinter.root_packages"),
        (PACKAGES, "importlinter.contracts.0.layers"),
    ],
)
def test_pyproject_lists_every_room(wanted: list[str], path: str) -> None:
    listed = read_pyproject()["tool"]
    for key in path.split("."):
        listed = listed[int(key) if key.isdigit() else key]
    assert set(wanted) <= {name.strip() for line in listed for name in line.split("|")}


def test_whatever_a_room_imports_is_declared() -> None:
    project = read_pyproject()["project"]
    declared = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        declared += extra
    declared_names = {canonicalize_name(Requirement(line).name) for line in declared}

    providers = packages_distributions()
    undeclared = {
        name
        # Type checkers bring `_typeshed`; no program imports it.
        for name in _imported_names() - sys.stdlib_module_names - {"penstock", "_typeshed"}
        if declared_names.isdisjoint(map(canonicalize_name, providers.get(name, [])))
    }
    assert not undeclared


def _imported_names() -> set[str]:
    names: set[str] = set()
    for part in PARTS:
        for file in (ROOT / part).rglob("*.py"):
            names |= _names_imported_by(file)
    return names


def _names_imported_by(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module.partition(".")[0])
    return names
