"""Counts the files of Penstock that three trips pass, and names them: `--files`.

A project is made in a temporary folder, and one worker drives its runs there, as anybody's would.
Each function that the worker enters is recorded, in any thread. A trip is everything of Penstock
that is entered from one moment to another:

- a tool call: from the node that requests an approved call to the recorded outcome it returns;
- a woken call: from the claim of a run whose gate was decided to the node that requests the call;
- a drive: from the driver's start to the graph's first node.

The first run compiles its policy and fills caches, and is counted for itself; of the later runs the
least counts.
"""

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType
from typing import Any, NamedTuple

from penstock.ui.cli.app import main as penstock

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "penstock.ui")
RUNS = 3
PATIENCE_S = 600.0
PROJECT = "graph.py"

CLAIM = "checkpoints/leases.py:claim"
CLAIMED = "checkpoints/runs/transitions.py:claim"
DRIVE = "runs/driver.py:Driver.drive"
FIRST_NODE = f"{PROJECT}:write"
CALLING_NODE = f"{PROJECT}:deliver"
TOOL = f"{PROJECT}:send"


class Event(NamedTuple):
    """A function that was entered or left; one that waited is entered again."""

    kind: str
    """`call` or `return`, as Python's profiler says."""
    function: str


def main() -> None:
    """Record the trips, and print how many files and functions each passes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", action="store_true", help="name the files too")
    parser.add_argument("--record", metavar="FILE", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.record:
        _work_recorded(Path(wanted.record))
        return
    with TemporaryDirectory() as folder:
        events = _events(Path(folder))
    for name, (first, *later) in _trips(events).items():
        functions = min(later, key=lambda trip: len(_files(trip)))
        files = _files(functions)
        at_first = f"of the first run: {len(_files(first))} files {len(first)} functions"
        print(f"{name:12} {len(files):4} files {len(functions):4} functions, {at_first}")
        for file in sorted(files) if wanted.files else ():
            print(f"    {file}")


def _events(folder: Path) -> Sequence[Event]:
    """Drive some runs, each to its gate and on, and return what their worker entered and left."""
    _penstock(folder, "init")
    with _worker(folder, folder / "events.json"):
        for number in range(1, RUNS + 1):
            _penstock(folder, "run", "hello", '{"name": "Ada"}')
            _until(folder, "SELECT count(*) FROM runs WHERE status = 'waiting'", 1)
            _penstock(folder, "decide", _open_gate(folder), "approve")
            _until(folder, "SELECT count(*) FROM runs WHERE status = 'succeeded'", number)
    recorded = json.loads((folder / "events.json").read_text())
    return [Event(*event) for event in recorded]


def _trips(events: Sequence[Event]) -> dict[str, list[set[str]]]:
    """Return the functions that each trip passed, of each run."""
    trips: dict[str, list[set[str]]] = {"tool call": [], "woken call": [], "drive": []}
    begins = _entries(events, FIRST_NODE)
    for begun, over in zip(begins, [*begins[1:], len(events)], strict=True):
        made = _entries(events, TOOL, begun, over)[0]
        left = [at for at in range(made, over) if events[at] == ("return", CALLING_NODE)][-1]
        # A worker looks for runs all the time; what counts is the claim that found this one.
        found = _entries(events, CLAIMED, begun, made)[-1]
        woken = _entries(events, CLAIM, begun, found)[-1]
        again = _entries(events, CALLING_NODE, found, made)[0]
        driven = _entries(events, DRIVE, _entries(events, CLAIMED, 0, begun)[-1], begun)[0]
        for name, first, last in (
            ("tool call", again, left),
            ("woken call", woken, again),
            ("drive", driven, begun),
        ):
            entered = {event.function for event in events[first : last + 1] if event.kind == "call"}
            trips[name].append({each for each in entered if not each.startswith(PROJECT)})
    return trips


def _entries(
    events: Sequence[Event], function: str, start: int = 0, stop: int | None = None
) -> list[int]:
    span = range(start, len(events) if stop is None else stop)
    found = [at for at in span if events[at] == ("call", function)]
    if not found:
        sys.exit(f"`{function}` was not entered where a trip begins or ends: has it a new name?")
    return found


def _files(functions: set[str]) -> set[str]:
    return {function.partition(":")[0] for function in functions}


def _work_recorded(into: Path) -> None:
    """Be a worker, and write which functions of Penstock and of the project it entered and left."""
    events: list[Event] = []
    names: dict[CodeType, str | None] = {}

    def record(frame: FrameType, event: str, _: Any) -> None:
        if event not in {"call", "return"}:
            return  # It is a function of C.
        code = frame.f_code
        if code not in names:
            names[code] = _name(code)
        if (name := names[code]) is not None:
            events.append(Event(event, name))

    threading.setprofile(record)
    sys.setprofile(record)
    sys.argv = ["penstock", "worker"]
    try:
        penstock()
    finally:
        sys.setprofile(None)
        into.write_text(json.dumps(events))


def _name(code: CodeType) -> str | None:
    """Return the name of a function of Penstock or of the project, with its file."""
    path = Path(code.co_filename)
    if code.co_name.startswith("<module"):
        return None
    if path.name == PROJECT and path.parent == Path.cwd():
        return f"{PROJECT}:{code.co_qualname}"
    if path.is_relative_to(ROOT) and "penstock" in path.parts and ".venv" not in path.parts:
        below = path.relative_to(ROOT).parts[2:]
        return f"{'/'.join(below)}:{code.co_qualname}"
    return None


@contextmanager
def _worker(folder: Path, into: Path) -> Generator[None]:
    """Have a worker that is recorded; it has settled when this begins."""
    program = [sys.executable, __file__, "--record", str(into)]
    with subprocess.Popen(program, cwd=folder, env=_env()) as worker:
        try:
            _until(folder, "SELECT count(*) FROM workers", 1)
            yield
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(PATIENCE_S)


def _penstock(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=_env(), capture_output=True, text=True, check=True
    )
    return ended.stdout


def _env() -> dict[str, str]:
    """Return an environment in which no heartbeat falls into a trip."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return {**own, "PENSTOCK_WORKER_BEAT_S": "600", "PENSTOCK_WORKER_LEASE_S": "6000"}


def _open_gate(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "penstock.db")) as store:
        (gate,) = store.execute("SELECT id FROM gates WHERE status = 'open'").fetchone()
    return str(gate)


def _until(folder: Path, query: str, wanted: int) -> None:
    """Wait until a query of the store has an answer, and what follows it in the worker is over."""
    deadline = time.monotonic() + PATIENCE_S
    with closing(sqlite3.connect(folder / "penstock.db")) as store:
        while store.execute(query).fetchone() != (wanted,):
            if time.monotonic() > deadline:
                sys.exit(f"`{query}` was not {wanted} within {PATIENCE_S:.0f} s")
            threading.Event().wait(0.1)
    threading.Event().wait(1)


if __name__ == "__main__":
    main()
