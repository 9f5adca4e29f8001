"""Chooses the mutants that run, says which they are, and records that all were killed."""

import pytest

from support.checkout import ROOT
from support.mutant_selection import (
    ALL_KILLED_AT,
    Selection,
    UnknownChanges,
    everything,
    record_commit,
    select,
)
from support.mutants import Mutant, load

BASELINE = "test_the_tests_pass_where_nothing_is_broken"
SELECTION = pytest.StashKey[Selection]()
NOT_KILLED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of whole runs."""
    group = parser.getgroup("mutants")
    group.addoption(
        "--all-mutants",
        action="store_true",
        help="run all mutants, and not only those that a change could touch",
    )
    group.addoption(
        "--record-all-killed",
        action="store_true",
        help=f"with --all-mutants: write the commit to {ALL_KILLED_AT} if all were killed",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Select once a session."""
    subjects = load()
    # A session that meets this folder late does not know the options.
    if config.getoption("all_mutants", default=False):
        config.stash[SELECTION] = everything(subjects, because="`--all-mutants` asks for them")
    else:
        config.stash[SELECTION] = select(subjects, ROOT)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which mutants run, and why."""
    return f"mutants: {config.stash[SELECTION].why}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out mutants that nothing has touched, and but for whole runs the baseline."""
    is_whole = config.getoption("all_mutants", default=False)
    claims = config.stash[SELECTION].claims
    left_out: list[pytest.Item] = []
    for item in items:
        call = getattr(item, "callspec", None)
        mutant = None if call is None else call.params.get("mutant")
        is_untouched = isinstance(mutant, Mutant) and mutant.claim not in claims
        is_baseline = getattr(item, "originalname", None) == BASELINE
        if is_untouched or (is_baseline and not is_whole):
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Record that all mutants were killed, if this run was whole and all were."""
    if not config.getoption("record_all_killed", default=False):
        return
    passed = [report.nodeid for report in terminalreporter.getreports("passed")]
    killed = sum(1 for name in passed if "::test_a_test_fails_where[" in name)
    wanted = len(config.stash[SELECTION].claims)
    if exitstatus != pytest.ExitCode.OK or killed != wanted:
        terminalreporter.line(f"mutants: {killed} of {wanted} were killed: not recorded", red=True)
        return
    try:
        commit = record_commit(ROOT)
    except UnknownChanges as error:
        terminalreporter.line(f"mutants: not recorded: {error}", red=True)
    else:
        terminalreporter.line(f"mutants: all were killed at {commit[:7]}", green=True)
