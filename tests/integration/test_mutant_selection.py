"""The mutants that run are those that a change could let live; in doubt, all."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.checkout import ROOMS
from support.mutant_selection import (
    ALL_KILLED_AT,
    MACHINERY,
    UnknownChanges,
    record_commit,
    select,
)
from support.mutants import Mutant

CHARGE = "runs/penstock/charges.py"
REFUND = "runs/penstock/refunds.py"

SUBJECTS = {
    "charges": [Mutant("charges twice", "charge", "1", "2", ["tests/test_charges.py"])],
    "refunds": [Mutant("refunds twice", "refund", "1", "2", ["tests/test_refunds.py::test_a"])],
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of two mutants that were killed at its commit."""
    (tmp_path / "tests" / "mutants").mkdir(parents=True)
    for room in ROOMS:
        (tmp_path / room / "penstock").mkdir(parents=True)
    (tmp_path / CHARGE).write_text("def charge():\n    return 1\n")
    (tmp_path / REFUND).write_text("def refund():\n    return 1\n")
    for name in ("test_charges", "test_refunds", "mutants/charges", "mutants/refunds"):
        (tmp_path / "tests" / f"{name}.py").write_text(f'"""{name}."""\n')
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    record_commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "Change it")


def test_nothing_runs_where_nothing_has_changed(checkout: Path) -> None:
    commit(checkout)
    selection = select(SUBJECTS, checkout)
    assert not selection.claims
    assert selection.why.startswith("0 of 2, those changed since ")


@pytest.mark.parametrize(
    "path", [CHARGE, "tests/test_charges.py", "tests/mutants/charges.py"], ids=Path
)
@pytest.mark.parametrize("is_committed", [True, False])
def test_a_mutant_runs_again_when_a_file_of_it_has_changed(
    checkout: Path, path: str, *, is_committed: bool
) -> None:
    file = checkout / path
    file.write_text(file.read_text() + "# Changed.\n")
    if is_committed:
        commit(checkout)
    selection = select(SUBJECTS, checkout)
    assert selection.claims == {"charges twice"}
    assert selection.why.startswith("1 of 2")


def test_a_module_that_only_moved_is_the_same(checkout: Path) -> None:
    git(checkout, "mv", CHARGE, "runs/penstock/charging.py")
    assert not select(SUBJECTS, checkout).claims


def test_a_module_that_git_does_not_know_has_changed(checkout: Path) -> None:
    (checkout / CHARGE).unlink()
    (checkout / "nodes/penstock/charges.py").write_text("def charge():\n    return 1\n")
    assert select(SUBJECTS, checkout).claims == {"charges twice"}


def test_a_mutant_that_does_not_fit_runs_and_says_so(checkout: Path) -> None:
    (checkout / CHARGE).write_text("def charge():\n    return 0\n")
    assert select(SUBJECTS, checkout).claims == {"charges twice"}


@pytest.mark.parametrize("path", MACHINERY)
def test_all_run_when_what_runs_them_has_changed(checkout: Path, path: str) -> None:
    (checkout / path).parent.mkdir(parents=True, exist_ok=True)
    (checkout / path).write_text("# Changed.\n")
    selection = select(SUBJECTS, checkout)
    assert len(selection.claims) == 2
    assert selection.why.startswith(f"all 2, because `{path}` changed since ")


def test_all_run_where_no_commit_is_named(checkout: Path) -> None:
    (checkout / ALL_KILLED_AT).unlink()
    selection = select(SUBJECTS, checkout)
    assert selection.why == f"all 2, because `{ALL_KILLED_AT}` does not exist"


def test_all_run_where_git_does_not_know_the_commit(checkout: Path) -> None:
    (checkout / ALL_KILLED_AT).write_text(f"{'0' * 40}\n")
    selection = select(SUBJECTS, checkout)
    assert len(selection.claims) == 2
    assert "Git says: " in selection.why


def test_all_run_where_there_is_no_repository(checkout: Path) -> None:
    shutil.rmtree(checkout / ".git")
    assert len(select(SUBJECTS, checkout).claims) == 2


def test_all_run_where_there_is_no_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert select(SUBJECTS, checkout).why == "all 2, because there is no Git"


def test_a_commit_is_recorded_only_where_it_is_what_ran(checkout: Path) -> None:
    (checkout / CHARGE).write_text("def charge():\n    return 0\n")
    with pytest.raises(UnknownChanges, match=CHARGE):
        record_commit(checkout)
