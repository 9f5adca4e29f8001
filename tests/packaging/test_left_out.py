"""What a test run leaves out, it says; in CI, leaving something out is a failure."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.checkout import ROOT

SKIPPED = """
import pytest

def test_that_runs(): pass

@pytest.mark.parametrize("number", [1, 2])
def test_that_lacks_something(number): pytest.skip("the moon is not full")

@pytest.mark.nightly
def test_that_is_long(): pass
"""
WHOLE = "import pytest; pytest.skip('no moon at all', allow_module_level=True)"
COMPLETE = "def test_that_runs(): pass"


def test_session_in_ci_fails_when_a_test_is_skipped(tmp_path: Path) -> None:
    ended = _run(tmp_path, SKIPPED, ci="true")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED


def test_session_on_many_cores_says_what_was_not_asked_for(tmp_path: Path) -> None:
    ended = _run(tmp_path, SKIPPED, ci="", options=("-n", "2"))
    assert "not asked for: 1 test: `make nightly` runs them" in ended.stdout


def test_session_in_ci_on_many_cores_fails_when_a_test_is_skipped(tmp_path: Path) -> None:
    ended = _run(tmp_path, SKIPPED, ci="true", options=("-n", "2"))
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "CI is set, so leaving tests out fails the session" in ended.stdout


def test_session_in_ci_fails_when_a_file_is_skipped_whole(tmp_path: Path) -> None:
    ended = _run(tmp_path, WHOLE, COMPLETE, ci="true")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED


def test_session_in_ci_passes_when_nothing_is_skipped(tmp_path: Path) -> None:
    assert _run(tmp_path, COMPLETE, ci="true").returncode == pytest.ExitCode.OK


def test_session_elsewhere_passes_and_says_what_was_left_out_and_why(tmp_path: Path) -> None:
    ended = _run(tmp_path, SKIPPED, WHOLE, ci="")
    assert ended.returncode == pytest.ExitCode.OK
    assert "left out: 2 tests: the moon is not full" in ended.stdout
    assert "test_1.py: no moon at all" in ended.stdout
    assert "not asked for: 1 test: `make nightly` runs them" in ended.stdout


def _run(
    folder: Path, *files: str, ci: str, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run files of tests in a session of their own, under this project's configuration."""
    for number, text in enumerate(files):
        (folder / f"test_{number}.py").write_text(text)
    configured = ("-c", ROOT / "pyproject.toml", "-p", "conftest", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *configured, *options, folder],
        env={**os.environ, "CI": ci, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
