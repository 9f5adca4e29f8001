"""The scripts with which maintainers measure run, and their answers are what they say."""

import re
import subprocess
import sys

import pytest

from support.checkout import ROOT


def output_of(script: str, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return ended.stdout


@pytest.mark.timeout(700)
def test_the_files_of_each_trip_are_counted() -> None:
    found = re.findall(r"^(\w+ ?\w*) +(\d+) files", output_of("trips.py"), flags=re.MULTILINE)
    counts = {name.strip(): int(count) for name, count in found}
    assert set(counts) == {"tool call", "woken call", "drive"}
    assert all(10 < count < 100 for count in counts.values()), counts


def test_what_a_command_takes_to_begin_is_measured() -> None:
    line = output_of("startup.py", "--only", "gates", "--times", "1")
    assert re.fullmatch(r"gates +\d+\.\d\d s +\S.*\n", line)
