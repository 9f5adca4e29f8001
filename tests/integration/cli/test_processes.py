"""The command line as processes: its signals, its start, what it imports."""

import os
import signal
import subprocess
import sys

import pytest

from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import import_path
from support.command_line import CommandLine, ended, until_there


def test_a_worker_gives_its_run_back_at_the_first_sigterm(cli: CommandLine) -> None:
    run_id = cli.start("slow")
    process = cli.process("worker")
    until_there(cli.folder / "entered", process)
    process.send_signal(signal.SIGTERM)
    worker = ended(process)
    assert worker.code == 0, worker.err
    assert "SIGTERM: giving back what is driven" in worker.err
    assert cli.status(run_id) == "queued"
    (cli.folder / "go_on").touch()
    again = cli("run", "slow", "--key", "other", "--wait")
    assert again.code == 0
    assert cli.json("show", run_id)["result"]["steps"] == ["one", "lingered"]


def test_a_second_sigterm_ends_a_worker_at_once(cli: CommandLine) -> None:
    run_id = cli.start("stuck")
    process = cli.process("worker", "--json")
    until_there(cli.folder / "entered", process)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGTERM)
    assert ended(process).code == 128 + signal.SIGTERM
    assert cli.status(run_id) == "running"


def test_a_wait_on_a_terminal_shows_the_state_the_epoch_and_the_node(cli: CommandLine) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        tied_to_parent([sys.executable, "-m", "penstock.ui", "run", "slow", "--wait"]),
        cwd=cli.folder,
        env={**os.environ, "PYTHONPATH": import_path(), "TERM": "xterm", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while b", at linger, " not in shown:
            # The terminal ends with its program, and the test's own deadline with both.
            shown += os.read(ours, 4096)
        (cli.folder / "go_on").touch()
        while chunk := _read(ours):
            shown += chunk
    finally:
        os.close(ours)
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 0, out
    assert b"is running, epoch 1, driven by" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wait_that_is_interrupted_gives_the_run_back(cli: CommandLine, number: int) -> None:
    process = cli.process("run", "slow", "--wait")
    until_there(cli.folder / "entered", process)
    process.send_signal(number)
    waited = ended(process)
    assert waited.code == 128 + number, waited.err
    (run,) = cli.json("runs")["runs"]
    assert run["status"] == "queued"
    assert f"next: penstock show {run['id']}" in waited.err


def test_a_worker_drives_what_another_process_queued_and_waits_for(cli: CommandLine) -> None:
    process = cli.process("worker", "--json")
    waited = cli("run", "chain", '{"name": "Ada"}', "--wait", "--no-drive", "--timeout-s", "30")
    process.send_signal(signal.SIGTERM)
    worker = ended(process)
    assert (waited.code, worker.code) == (0, 0), worker.err
    (run,) = cli.json("runs")["runs"]
    history = cli.json("show", run["id"])["history"]
    assert worker.data["worker_id"] in {event["actor"] for event in history}


def test_strict_mode_is_on_whatever_the_environment_says(cli: CommandLine) -> None:
    process = cli.process("doctor", LANGGRAPH_STRICT_MSGPACK="false")
    assert ended(process).code == 0


def test_help_imports_neither_langgraph_nor_the_database() -> None:
    program = (
        "import sys\n"
        "from penstock.ui.cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print(sorted({'langgraph', 'sqlalchemy', 'pydantic', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": import_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
