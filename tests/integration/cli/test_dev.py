"""`penstock dev`: from an empty folder's store to a run that is over, and an end without rests."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.ui.dev import phoenix, ports
from support.checkout import ROOT
from support.command_line import CommandLine, ended, until_there
from support.processes import until_gone

ALONE = ("--no-ui", "--no-phoenix")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def until_said(process: "subprocess.Popen[str]", words: str) -> str:
    """Read the log up to a line with these words; return that line."""
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return line
    raise AssertionError("".join(said))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_makes_the_store_drives_runs_and_ends_in_order(empty: CommandLine, number: int) -> None:
    empty.make_project()
    process = empty.process("dev", *ALONE)
    try:
        assert "was made, at migration" in until_said(process, "the store")
        until_said(process, "drives ")
        waited = empty("run", "chain", "--wait", "--no-drive", "--timeout-s", "60")
        assert waited.code == 0, waited.err
    finally:
        process.send_signal(number)
        over = ended(process, within_s=90)
    assert over.code == 0, over.err
    assert over.out == "all has ended\n"
    assert "worker   │ " in over.err
    assert "has stopped; nothing is driven by it any more" in over.err


@pytest.mark.skipif(sys.platform != "linux", reason="who is alive is asked of Linux")
def test_a_second_signal_kills_all_at_once(cli: CommandLine) -> None:
    cli.start("stuck")
    process = cli.process("dev", *ALONE)
    try:
        said = re.search(r"worker .*-(\d+)-\w+ drives ", until_said(process, "drives "))
        assert said is not None
        until_there(cli.folder / "entered", process)
        process.send_signal(signal.SIGTERM)
        until_said(process, "another signal kills at once")
        process.send_signal(signal.SIGTERM)
    finally:
        over = ended(process, within_s=90)
    assert over.code == 128 + signal.SIGTERM
    asyncio.run(until_gone(int(said[1])))


def test_programs_get_its_log_as_json(cli: CommandLine) -> None:
    process = cli.process("dev", *ALONE, "--json")
    try:
        line = json.loads(until_said(process, "drives "))
        assert line["from"] == "worker"
    finally:
        process.send_signal(signal.SIGTERM)
        over = ended(process, within_s=90)
    assert json.loads(over.out) == {"ended": "stopped", "parts": ["worker"]}
    assert all(json.loads(line)["from"] for line in over.err.splitlines())


def test_without_a_project_nothing_begins(empty: CommandLine) -> None:
    answer = empty("dev")
    assert answer.code == 3
    assert "[invalid_manifest]" in answer.err
    assert not empty.store.exists()


def test_phoenix_that_is_not_there_is_said_with_what_to_do(cli: CommandLine) -> None:
    process = cli.process("dev", "--no-ui", PENSTOCK_PHOENIX_ENV="nowhere")
    try:
        line = until_said(process, "Phoenix is not installed")
        assert f"uv tool install arize-phoenix=={phoenix.VERSION}" in line
        until_said(process, "drives ")
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process, within_s=90)


@pytest.mark.skipif(sys.platform != "linux", reason="who listens where is asked of Linux")
def test_a_port_for_phoenix_that_is_taken_is_said_and_all_else_goes_on(
    cli: CommandLine, taken: int
) -> None:
    made = made_environment(cli.folder / "env")
    process = cli.process(
        "dev", "--no-ui", "--phoenix-port", str(taken), PENSTOCK_PHOENIX_ENV=str(made)
    )
    try:
        line = until_said(process, "no Phoenix is started")
        assert f"port {taken} is taken by `" in line
        assert f"PENSTOCK_PHOENIX_URL=http://127.0.0.1:{taken}" in line
        until_said(process, "drives ")
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process, within_s=90)


def test_a_phoenix_elsewhere_is_used_and_none_is_started(cli: CommandLine) -> None:
    process = cli.process("dev", "--no-ui", PENSTOCK_PHOENIX_URL="https://traces.example")
    try:
        assert "traces: Phoenix at https://traces.example" in until_said(process, "traces: ")
        until_said(process, "drives ")
    finally:
        process.send_signal(signal.SIGTERM)
        over = ended(process, within_s=90)
    assert "phoenix  │ " not in over.err


def made_environment(folder: Path) -> Path:
    """Make what looks like an environment with Phoenix in it."""
    (folder / "bin").mkdir(parents=True)
    for name in ("python", phoenix.PROGRAM):
        (folder / "bin" / name).touch(mode=0o755)
    return folder


def test_phoenix_is_found_here_by_name_and_by_what_is_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "elsewhere" / ".venv"))
    tools, links = made_environment(tmp_path / "tools" / phoenix.PROGRAM), tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PATH", str(links))
    assert phoenix.find(None) is None
    (links / phoenix.PROGRAM).symlink_to(tools / "bin" / phoenix.PROGRAM)
    assert _python(None) == tools / "bin" / "python"
    here = made_environment(tmp_path / phoenix.FOLDER)
    assert _python(None) == here / "bin" / "python"
    named = made_environment(tmp_path / "named")
    assert _python(named) == named / "bin" / "python"
    assert phoenix.find(tmp_path / "empty") is None


def _python(named: Path | None) -> Path:
    found = phoenix.find(named)
    assert found is not None
    return found.python


def test_phoenix_is_told_to_stay_on_this_machine_and_an_operator_may_say_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOENIX_HOST", "0.0.0.0")  # noqa: S104  (it must not get through)
    monkeypatch.setenv("PHOENIX_DEFAULT_RETENTION_POLICY_DAYS", "7")
    part = phoenix.Phoenix(python=Path("python")).program(port=6006, folder=tmp_path / "data")
    assert part.env["PHOENIX_HOST"] == "127.0.0.1"
    assert part.env["PHOENIX_DEFAULT_RETENTION_POLICY_DAYS"] == "7"
    assert part.env["PHOENIX_ALLOW_EXTERNAL_RESOURCES"] == "false"
    assert part.env["PHOENIX_WORKING_DIR"] == str(tmp_path / "data")


def test_traces_go_to_phoenix_unless_it_is_said_where_they_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = phoenix.url(6006)
    told = phoenix.penstock_environment(ui_url=None, phoenix_url=known)
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == told["PENSTOCK_PHOENIX_URL"] == known
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318")
    told = phoenix.penstock_environment(ui_url=None, phoenix_url=known)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in told
    assert told["PENSTOCK_PHOENIX_URL"] == known


def test_the_phoenix_that_is_named_is_the_one_that_is_pinned() -> None:
    pinned = (ROOT / "requirements" / "phoenix.in").read_text()
    assert f"arize-phoenix[pg]=={phoenix.VERSION}\n" in pinned


def test_the_doctor_says_whether_phoenix_answers(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_PHOENIX_URL", phoenix.url(ports.free_port()))
    answer = cli("doctor", "--json")
    assert answer.code == 3
    (check,) = (one for one in answer.data["checks"] if one["name"] == "phoenix")
    assert not check["ok"]
    assert "cannot be asked" in check["found"]
    assert "; 0 to be told, 0 given up" in check["found"]


def test_a_run_is_shown_with_the_link_to_its_trace(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = cli.start("chain")
    assert cli.json("show", run_id)["trace"] is None
    monkeypatch.setenv("PENSTOCK_PHOENIX_URL", "http://127.0.0.1:6006/")
    link = f"http://127.0.0.1:6006/redirects/traces/{run_id.replace('-', '')}"
    assert cli.json("show", run_id)["trace"] == link
    told = cli("show", run_id).out
    assert link in told
    assert f"http://127.0.0.1:6006/redirects/sessions/{run_id}" in told


def test_a_trace_that_cannot_be_forgotten_is_said_to_be_there(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = cli.json("run", "chain", "--wait")["run"]["id"]
    monkeypatch.setenv("PENSTOCK_PHOENIX_URL", phoenix.url(ports.free_port()))
    (forgotten,) = cli.json("forget", run_id)["runs"]
    (trace,) = (one for one in forgotten["stores"] if one["store"] == "traces")
    assert trace["erased"] == 0
    assert "cannot be asked" in trace["kept"]
