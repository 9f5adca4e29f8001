"""`penstock export`: all of a run in one document, for people who mend what is wrong."""

import json
import stat
from pathlib import Path

import pytest

from support.command_line import CommandLine


@pytest.fixture
def in_doubt(cli: CommandLine) -> str:
    """A run that waits because nobody knows whether its payment happened."""
    return cli("run", "buying", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]


def test_document_has_all_that_is_known_of_a_run(cli: CommandLine, in_doubt: str) -> None:
    told = cli.json("export", in_doubt)
    assert told["format"] == "penstock.run/1"
    assert told["run"]["input"] == {"name": "Ada"}
    assert [step["node"] for step in told["steps"]] == ["buy"]
    (effect,) = told["effects"]
    assert [line["kind"] for line in effect["story"]] == ["started", "in_doubt"]
    (gate,) = told["gates"]
    assert (gate["kind"], gate["votes"]) == ("in_doubt", [])
    assert told["decisions"][0]["decision"]["verdict"] == "allow"
    assert told["budget"]["units"]
    assert told["history"][0]["action"] == "run.queued"
    assert told["checkpoints"][-1]["state"]["values"]["name"] == "Ada"
    assert told["cut"] == []


def test_file_is_for_its_owner_and_overwrites_nothing(
    cli: CommandLine, in_doubt: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    told = cli.json("export", in_doubt, "--out", str(file))
    assert json.loads(file.read_text())["run"]["id"] == in_doubt
    assert told["bytes"] == len(file.read_bytes())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    again = cli("export", in_doubt, "--out", str(file), "--json")
    assert again.error["code"] == "project_exists"
    assert file.read_text() == before


def test_without_the_graphs_nothing_is_exported(cli: CommandLine, in_doubt: str) -> None:
    (cli.folder / "langgraph.json").unlink()
    assert cli("export", in_doubt, "--json").code != 0
