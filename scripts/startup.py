"""Measures what each command of the command line takes until it begins, in seconds of CPU.

Each command runs as `penstock COMMAND --help`, and `penstock gates` on a new store besides: the
least of several times, and which of the slow libraries it imported.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import typer

from penstock.ui.cli.app import app

SLOW = ("langgraph", "langchain_core")

PROGRAM = f"""
import json, resource, sys
from penstock.ui.cli.app import main
sys.argv[0] = "penstock"
try:
    main()
except SystemExit as end:
    used = resource.getrusage(resource.RUSAGE_SELF)
    slow = [name for name in {SLOW!r} if name in sys.modules]
    print(json.dumps([used.ru_utime + used.ru_stime, slow]), file=sys.stderr)
    raise
"""


class Startup(NamedTuple):
    """What one command took and imported."""

    cpu_s: float
    slow: Sequence[str]


def main() -> None:
    """Measure, and print a line a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=3, help="the least of so many times counts")
    parser.add_argument("--only", help="measure this command alone")
    wanted = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        _run(folder, ["init"])
        helps = [[*command, "--help"] for command in _commands(typer.main.get_command(app))]
        for command in [["gates"], ["--help"], *helps]:
            if wanted.only in {None, " ".join(command)}:
                found = min(_run(folder, command) for _ in range(wanted.times))
                imported = ", ".join(found.slow) or "-"
                print(f"{' '.join(command):32} {found.cpu_s:6.2f} s  {imported}", flush=True)


def _commands(command: object) -> Iterator[list[str]]:
    """Yield the words of each command that does something."""
    children: Mapping[str, object] = getattr(command, "commands", {})
    for name, child in children.items():
        yield [name]
        yield from ([name, *words] for words in _commands(child))


def _run(folder: Path, command: Sequence[str]) -> Startup:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    program = [sys.executable, "-c", PROGRAM, *command]
    ended = subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return Startup(*json.loads(ended.stderr.splitlines()[-1]))


if __name__ == "__main__":
    main()
