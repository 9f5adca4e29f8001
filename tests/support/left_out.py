"""Say which tests were left out and why; with CI set, leaving one out fails the session."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

LONG = "nightly"


class LeftOut:
    """A pytest plugin that counts what was left out, by its reason."""

    def __init__(self, *, in_ci: bool) -> None:
        self._in_ci = in_ci
        self._reasons: Counter[str] = Counter()
        self._long_count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a skipped test; one that is expected to fail has run and is not left out."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self._reasons[_reason(report)] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that was skipped whole."""
        if report.skipped:
            self._reasons[f"{report.nodeid}: {_reason(report)}"] += 1

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count the long tests that only `make nightly` runs."""
        self._long_count += sum(1 for item in items if item.get_closest_marker(LONG))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over the count of a process of pytest-xdist; each has deselected the same tests."""
        output: Mapping[str, int] = getattr(node, "workeroutput", {})
        self._long_count = max(self._long_count, output.get(LONG, 0))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a session that would have passed with tests left out, where CI reads the result."""
        output: dict[str, int] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[LONG] = self._long_count
        if self._in_ci and self._reasons and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what was left out."""
        if self._long_count or self._reasons:
            terminalreporter.section("not run")
        if self._long_count:
            long = _tests(self._long_count)
            terminalreporter.line(f"not asked for: {long}: `make nightly` runs them")
        for reason, count in sorted(self._reasons.items()):
            terminalreporter.line(f"left out: {_tests(count)}: {reason}", yellow=True)
        if self._in_ci and self._reasons:
            terminalreporter.line("CI is set, so leaving tests out fails the session", red=True)


def _tests(count: int) -> str:
    return f"{count} test" if count == 1 else f"{count} tests"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)
