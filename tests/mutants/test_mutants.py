"""Rules that must not go unnoticed if they are broken: each is broken here, and a test must fail.

The checkout is copied, one rule is broken in the copy, and the tests that guard it run there. The
rules stand beside this file, a file a subject. `make test` runs those that a change could touch,
and `make nightly` all of them: see `support.mutant_selection`.
"""

import compileall
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from support.checkout import ROOMS, ROOT
from support.mutants import Code, Mutant, load
from support.warm import WarmPytest

SUBJECTS = load()


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of this checkout's rooms and tests."""

    folder: Path
    code: Code
    pytest: WarmPytest

    def run(
        self, tests: Sequence[str], *, each_s: int = 20, timeout_s: float = 110
    ) -> tuple[int, str]:
        """Run tests of the copy on SQLite, and stop at the first that fails or takes too long."""
        options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
        which = ("-k", "not postgresql", f"--timeout={each_s}")
        return self.pytest.run([*options, *which, *tests], timeout_s=timeout_s)


@pytest.fixture(scope="session")
def checkout_copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The copy that all mutants are made in, one after another."""
    copy = tmp_path_factory.mktemp("mutant")
    (copy / "examples" / "refund_desk").mkdir(parents=True)
    for folder in (*ROOMS, "tests"):
        shutil.copytree(
            ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "mutants")
        )
        # Compiled once for all sessions; what a mutant changes is seen by its hash.
        compileall.compile_dir(
            copy / folder, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    env = {"PATH": "", "HOME": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    sessions = WarmPytest(copy, env=env)
    yield Copy(copy, Code(copy), sessions)
    sessions.close()


@pytest.mark.timeout(700)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_tests_pass_where_nothing_is_broken(checkout_copy: Copy, subject: str) -> None:
    """Only `make nightly` runs it; in `make test` these tests run unbroken beside the mutants."""
    tests = sorted({test for mutant in SUBJECTS[subject] for test in mutant.killed_by})
    code, report = checkout_copy.run(tests, each_s=120, timeout_s=600)
    assert code == pytest.ExitCode.OK, report


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(mutant, id=subject + "-" + re.sub(r"\W+", "_", mutant.claim))
        for subject, mutants in SUBJECTS.items()
        for mutant in mutants
    ],
)
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    broken = checkout_copy.code.broken(mutant)
    path = checkout_copy.folder / broken.path
    whole = path.read_text()
    path.write_text(broken.text)
    try:
        code, report = checkout_copy.run(mutant.killed_by)
    finally:
        path.write_text(whole)
    assert code == pytest.ExitCode.TESTS_FAILED, report
    assert "error" not in report.splitlines()[-1], report
