"""The command line of the measurements."""

import argparse
import gc
import json
import os
import platform
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import calls, cancel, growth, load, recovery, runs, tables, takeover, targets, throughput
from bench.contestants import penstock_on_postgres
from bench.targets import Verdict

PARTS = ("throughput", "growth", "recovery", "runs", "calls", "takeover", "cancel")

_DISTRIBUTIONS = (
    "langgraph",
    "langgraph-checkpoint",
    "langgraph-checkpoint-sqlite",
    "penstock",
    "sqlalchemy",
)


def main() -> None:
    """Measure what the command line names."""
    options = _options()
    console = Console()
    environment = _environment()
    console.print(", ".join(f"{name} {what}" for name, what in environment.items()))
    if options.freeze:
        gc.collect()
        gc.freeze()
        console.print("frozen: the garbage collector does not look at what imports made")
    verdicts: list[Verdict] = []
    results: dict[str, Any] = {
        "environment": environment,
        "quick": options.quick,
        "freeze": options.freeze,
    }
    with TemporaryDirectory(dir=options.dir, prefix=".bench-") as folder:
        measure = _Measure(console, Path(folder), quick=options.quick)
        parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "throughput": lambda: measure.throughput(options.postgres, verdicts),
            "growth": lambda: measure.growth(verdicts),
            "recovery": measure.recovery,
            "runs": lambda: measure.runs(verdicts),
            "calls": lambda: measure.calls(verdicts),
            "takeover": lambda: measure.takeover(verdicts),
            "cancel": lambda: measure.cancel(verdicts),
        }
        for part in PARTS if options.part == "all" else (options.part,):
            results[part] = parts[part]()
    for table in tables.of_verdicts(verdicts):
        console.print(table)
    results["targets"] = [asdict(verdict) for verdict in verdicts]
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


class _Options(argparse.Namespace):
    part: str
    quick: bool
    json: Path | None
    dir: Path
    freeze: bool
    postgres: str | None


def _options() -> _Options:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure Penstock beside LangGraph alone.",
    )
    parser.add_argument("part", nargs="?", choices=(*PARTS, "all"), default="all")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter rounds: to see that it works"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path.cwd(),
        help="where the databases are made and removed; a real disk (default: here)",
    )
    parser.add_argument(
        "--freeze",
        action="store_true",
        help="keep what imports made out of the garbage collector's sight, for everybody: one full"
        " collection takes 0.1 s, which is most of the p99 at c=64",
    )
    parser.add_argument(
        "--postgres", metavar="URL", help="also measure Penstock on this database, fast block only"
    )
    return parser.parse_args(namespace=_Options())


def _environment() -> Mapping[str, str]:
    return {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "CPUs": str(os.cpu_count()),
        **{name: version(name) for name in _DISTRIBUTIONS},
    }


class _Measure:
    """Measures a part, prints its tables, and gives its samples as plain data."""

    def __init__(self, console: Console, folder: Path, *, quick: bool) -> None:
        self._console = console
        self._folder = folder
        self._quick = quick

    def throughput(self, postgres: str | None, verdicts: list[Verdict]) -> list[dict[str, Any]]:
        plan = load.blocks(quick=self._quick)
        guest = None if postgres is None else penstock_on_postgres(postgres)
        with self._progress("throughput", throughput.sample_count(plan, postgres=guest)) as done:
            found = throughput.measure(plan, self._folder, postgres=guest, done=done)
        for block in plan:
            extra = f", {block.delay_s * 1e3:g} ms more a commit" if block.delay_s else ""
            title = f"{block.name} block{extra}"
            for table in tables.of_throughput(found, block=block.name, title=title):
                self._console.print(table)
        verdicts += targets.of_throughput(found)
        return [asdict(sample) for sample in found.samples]

    def growth(self, verdicts: list[Verdict]) -> list[dict[str, Any]]:
        plan = growth.plan(quick=self._quick)
        with self._progress("growth", plan.rounds * len(plan.cases)) as done:
            found = growth.measure(plan, self._folder, done=done)
        for table in tables.of_growth(found):
            self._console.print(table)
        verdicts += targets.of_growth(found)
        return [asdict(sample) for sample in found.samples]

    def recovery(self) -> list[dict[str, Any]]:
        plan = recovery.plan(quick=self._quick)
        with self._progress("recovery", recovery.sample_count(plan)) as done:
            found = recovery.measure(plan, self._folder, done=done)
        self._console.print(tables.of_recovery(found))
        return [asdict(sample) for sample in found.samples]

    def runs(self, verdicts: list[Verdict]) -> list[dict[str, Any]]:
        plan = runs.plan(quick=self._quick)
        with self._progress("runs", plan.rounds) as done:
            found = runs.measure(plan, self._folder, done=done)
        self._console.print(tables.of_runs(found))
        verdicts += targets.of_runs(found)
        return [asdict(sample) for sample in found.samples]

    def calls(self, verdicts: list[Verdict]) -> list[dict[str, Any]]:
        plan = calls.plan(quick=self._quick)
        with self._progress("calls", plan.rounds) as done:
            found = calls.measure(plan, self._folder, done=done)
        self._console.print(tables.of_calls(found))
        verdicts += targets.of_calls(found)
        return [asdict(sample) for sample in found.samples]

    def takeover(self, verdicts: list[Verdict]) -> list[dict[str, Any]]:
        plan = takeover.plan(quick=self._quick)
        with self._progress("takeover", plan.rounds) as done:
            found = takeover.measure(plan, self._folder, done=done)
        self._console.print(tables.of_takeover(found))
        verdicts += targets.of_takeover(found)
        return [asdict(sample) for sample in found.samples]

    def cancel(self, verdicts: list[Verdict]) -> list[dict[str, Any]]:
        plan = cancel.plan(quick=self._quick)
        with self._progress("cancel", 2 * plan.rounds) as done:
            found = cancel.measure(plan, self._folder, done=done)
        self._console.print(tables.of_cancel(found))
        verdicts += targets.of_cancel(found)
        return [asdict(sample) for sample in found.samples]

    @contextmanager
    def _progress(self, part: str, total: int) -> Generator[Callable[[str], None]]:
        columns = (
            TextColumn(part),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task("", total=total)

            def done(what: str) -> None:
                progress.update(task, advance=1, description=f"last: {what}")

            yield done
