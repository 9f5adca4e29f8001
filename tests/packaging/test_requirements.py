"""The pinned requirements are hashed, name no place, and serve what `pyproject.toml` asks for."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.checkout import ROOT, read_pyproject

FOLDER = ROOT / "requirements"
PINNED = sorted(FOLDER.glob("*.txt"))
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<rest>.*(?:\n +--hash=.*)*)", re.MULTILINE
)


@pytest.mark.parametrize("file", PINNED, ids=lambda file: file.name)
def test_every_requirement_is_pinned_and_hashed(file: Path) -> None:
    text = file.read_text()
    requirements = [line for line in text.splitlines() if re.match(r"[^\s#]", line)]
    hashed = [pin for pin in PIN.finditer(text) if "--hash=sha256:" in pin["rest"]]
    assert requirements
    assert len(hashed) == len(requirements)


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_requirements_name_no_place_to_fetch_from(file: Path) -> None:
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|file:", file.read_text())


@pytest.mark.parametrize("file", ["runtime.txt", "dev.txt"])
def test_pins_serve_the_declared_dependencies(file: str) -> None:
    pyproject = read_pyproject()
    declared = [
        *pyproject["project"]["dependencies"],
        *pyproject["dependency-groups"]["demo"],
    ]
    if file == "dev.txt":
        declared += pyproject["project"]["optional-dependencies"]["postgres"]
        declared += pyproject["dependency-groups"]["dev"]
    pins = _pins(file)
    for line in declared:
        requirement = Requirement(line)
        pinned = pins.get(canonicalize_name(requirement.name), "missing")
        assert requirement.specifier.contains(pinned), f"{line}, but {pinned}: `make requirements`"


@pytest.mark.parametrize("file", ["runtime.txt", "build.txt", "uv.txt"])
def test_development_uses_the_same_versions(file: str) -> None:
    assert _pins(file).items() <= _pins("dev.txt").items()


def _pins(file: str) -> dict[str, str]:
    found = PIN.finditer((FOLDER / file).read_text())
    return {canonicalize_name(pin["name"]): pin["version"] for pin in found}
