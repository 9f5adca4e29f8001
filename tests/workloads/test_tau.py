"""Tasks and tools that nobody here wrote: tau-bench retail, in a world that kills its callers.

What is kept outside of this repository is found by two variables. `PENSTOCK_WORKLOADS` is the
folder with `tau_torture.py` and the world that it starts; `PENSTOCK_WORKLOADS_PYTHON` is a Python
that has inspect-evals, which brings the tasks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.checkout import ROOT, import_path

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(600)]

WORKER = Path(__file__).parent / "tau_worker.py"
HARNESS = Path(os.environ.get("PENSTOCK_WORKLOADS") or ROOT.parent / "shared" / "workloads")
PYTHON = os.environ.get("PENSTOCK_WORKLOADS_PYTHON") or sys.executable
TASKS = 6
FAULTS = ("--kill-after", ".1", "--kill-before", ".05", "--drop", ".1", "--err", ".05")


def torture(folder: Path, *, idem: str) -> tuple[Any, Any]:
    """Return the world's verdict on the runs of some tasks, and what the worker says of them."""
    torturer = HARNESS / "tau_torture.py"
    if not torturer.is_file():
        pytest.skip("the tau-bench world is not here: PENSTOCK_WORKLOADS names its folder")
    if subprocess.run([PYTHON, "-c", "import inspect_evals"], check=False).returncode:
        pytest.skip("inspect-evals is not here: PENSTOCK_WORKLOADS_PYTHON names a Python with it")
    verdict, report = folder / "verdict.json", folder / "report.json"
    worker = [sys.executable, WORKER, "--server", "{server}", "--db", "{db}", "--idem", idem]
    done = subprocess.run(
        [
            *(sys.executable, torturer, "--python", PYTHON, "--json", verdict),
            *("--limit", str(TASKS), "--seed", "1", *FAULTS),
            *("--", *worker, "--report", report),
        ],
        env={**os.environ, "PYTHONPATH": import_path(), "LANGGRAPH_STRICT_MSGPACK": "true"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=500,
        check=False,
    )
    assert verdict.exists(), done.stdout
    assert report.exists(), done.stdout
    return json.loads(verdict.read_text()), json.loads(report.read_text())


def test_every_task_is_done_once_where_the_world_knows_keys(tmp_path: Path) -> None:
    verdict, report = torture(tmp_path, idem="key")
    assert verdict["restarts"] > 0
    assert verdict["own_failures"] == verdict["hung"] == 0
    assert verdict["total"]["clean"] == verdict["total"]["runs"] == TASKS
    assert {told["status"] for told in report.values()} == {"succeeded"}


def test_no_write_is_doubled_where_the_world_knows_no_keys(tmp_path: Path) -> None:
    verdict, report = torture(tmp_path, idem="none")
    assert verdict["restarts"] > 0
    assert verdict["own_failures"] == verdict["hung"] == 0
    assert verdict["total"]["doubled_writes"] == verdict["total"]["foreign_writes"] == 0
    # A run that waits may be clean all the same: its last write happened, and nobody knows.
    unclean = {row["run"] for row in verdict["runs"] if not row["clean"]}
    waiting = {name for name, told in report.items() if told["status"] == "waiting"}
    assert unclean <= waiting
    assert all(len(report[name]["in_doubt"]) == 1 for name in waiting)
