"""`penstock fork`: where a run can be forked, what that would come to, and the fork."""

import pytest

from support.command_line import CommandLine


@pytest.fixture
def run(cli: CommandLine) -> str:
    """A run that waits because nobody knows whether its payment happened."""
    return cli("run", "buying", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]


def test_checkpoints_are_listed_with_what_came_before_them(cli: CommandLine, run: str) -> None:
    found = cli.json("fork", run)["checkpoints"]
    assert [(each["number"], each["after"]) for each in found] == [(-1, "input"), (0, "loop")]
    assert f"penstock fork {run} --at" in cli("fork", run).out


def test_dry_run_says_what_becomes_of_calls_and_starts_nothing(cli: CommandLine, run: str) -> None:
    told = cli.json("fork", run, "--at", "0", "--dry-run")
    assert told["run"] is None
    assert told["first"] == ["buy"]
    assert [(each["tool"], each["fate"]) for each in told["calls"]] == [("pay", "simulated")]
    assert "nothing was started" in cli("fork", run, "--at", "0", "--dry-run").out
    assert len(cli.json("runs")["runs"]) == 1


def test_fork_simulates_unless_it_is_to_be_live(cli: CommandLine, run: str) -> None:
    fork = cli.json("fork", run, "--at", "0", "--edit", '{"name": "Bob"}')["run"]
    assert (fork["mode"], fork["status"], fork["input"]) == ("simulate", "queued", None)
    assert cli.json("fork", run, "--at", "0", "--live")["run"]["mode"] == "live"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (["--at", "9"], "unknown_checkpoint"),
        (["--at", "0", "--edit", '{"nam": "Bob"}'], "invalid_input"),
        (["--at", "0", "--edit", "[]"], "invalid_input"),
    ],
)
def test_what_cannot_be_forked_is_refused(
    cli: CommandLine, run: str, typed: list[str], code: str
) -> None:
    assert cli("fork", run, *typed, "--json").error["code"] == code
    assert len(cli.json("runs")["runs"]) == 1
