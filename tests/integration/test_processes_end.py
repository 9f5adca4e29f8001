"""What a session of tests has started ends with it, even when it is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.checkout import ROOT, import_path
from support.processes import is_alive, wait_until

SESSION = """
import subprocess, sys
from pathlib import Path
from threading import Event

from penstock.ui.dev.supervisor import tied_to_parent
from support.forks import fork
from support.postgres import PostgresCluster, find_postgres
from support.rooms import make_project, started
from support.warm import WarmPytest

HERE = Path(__file__).parent

def test_that_hangs(tmp_path):
    fork(Event().wait)
    PostgresCluster(find_postgres(), is_durable=False).start()
    sessions = WarmPytest(tmp_path, env={"PATH": ""})
    world = [sys.executable, "-m", "world"]
    subprocess.Popen(tied_to_parent(world), cwd=tmp_path, stdout=subprocess.DEVNULL)
    settings = make_project(tmp_path)
    with started(tmp_path, settings, "worker"), started(tmp_path, settings, "ui", "--port", "0"):
        (HERE / "ready").touch()
        Event().wait()
"""


@pytest.mark.timeout(900)
def test_servers_of_a_killed_session_end(tmp_path: Path) -> None:
    session_file = tmp_path / "test_session.py"
    session_file.write_text(SESSION)
    options = ("-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"))
    path = os.pathsep.join((import_path(), str(ROOT / "examples" / "refund_desk")))
    with (tmp_path / "log").open("w") as log:
        session = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", session_file],
            env={**os.environ, "PYTHONPATH": path, "REFUND_DESK_HOME": str(tmp_path / "desk")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:

        def is_ready() -> bool:
            assert session.poll() is None, (tmp_path / "log").read_text()
            return (tmp_path / "ready").exists()

        wait_until(is_ready, "the session has started its servers")
        started = descendants(session.pid)
        assert len(started) > 5, [Path(f"/proc/{each}/cmdline").read_text() for each in started]
    finally:
        session.send_signal(signal.SIGKILL)
        session.wait()
    wait_until(lambda: not any(map(is_alive, started)), "what it has started has ended")


def descendants(process: int) -> list[int]:
    """Return the processes that one has started, and that these have started."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []  # It has ended meanwhile.
    return [each for child in children for each in (int(child), *descendants(int(child)))]
