"""`penstock effects`, and deciding about a call in doubt."""

import time
from collections.abc import Callable

import pytest

from support.desk import CommandLine


@pytest.fixture
def in_doubt(cli: CommandLine) -> str:
    """A run that waits because nobody knows whether its payment happened."""
    return cli("run", "buying", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that takes moments."""
    ends = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < ends


def test_effects_are_listed_with_what_is_known_of_them(cli: CommandLine, in_doubt: str) -> None:
    (effect,) = cli.json("effects", "--run", in_doubt)["effects"]
    assert (effect["tool"], effect["status"], effect["arguments"]) == (
        "pay",
        "in_doubt",
        {"amount": 5},
    )
    assert "ConnectionError: the answer was lost" in effect["error"]["message"]
    assert cli.json("effects", "--status", "succeeded")["effects"] == []
    assert cli("effects", "--tool", "refund").out == "no tool was called\n"
    listed = cli("effects").out.splitlines()
    assert listed[1].split()[:3] == [effect["key"][:12], "pay", "in_doubt"]


def test_an_effect_is_shown_with_its_story_and_the_gate_that_asks(
    cli: CommandLine, in_doubt: str
) -> None:
    (effect,) = cli.json("effects", "--run", in_doubt)["effects"]
    told = cli.json("effects", effect["key"][:12])
    assert [line["kind"] for line in told["story"]] == ["started", "in_doubt"]
    assert [gate["kind"] for gate in told["gates"]] == ["in_doubt"]
    shown = cli("effects", effect["key"][:12]).out
    assert f"penstock decide {told['gates'][0]['id']}" in shown
    assert effect["key"] in shown


def test_an_effect_that_there_is_not_is_said_to_be_none(cli: CommandLine) -> None:
    cli("migrate")
    answer = cli("effects", "00ff", "--json")
    assert answer.error["code"] == "unknown_effect"
    assert answer.code != 0


def test_a_doubt_is_decided_and_the_run_goes_on(cli: CommandLine, in_doubt: str) -> None:
    (gate,) = cli.json("gates")["gates"]
    answer = '{"answer": "happened", "result": "by phone"}'
    until(lambda: cli("decide", gate["id"], answer, "--json").code == 0)
    run = cli("run", "chain", '{"name": "Ada"}', "--wait", "--json")
    assert run.code == 0
    process = cli.process("worker", PENSTOCK_ACTOR="ann")
    try:
        until(lambda: cli.status(in_doubt) == "succeeded")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert cli.json("show", in_doubt)["result"]["steps"] == ["by phone"]


def test_a_doubt_is_not_decided_by_an_answer_that_is_none(cli: CommandLine, in_doubt: str) -> None:
    (gate,) = cli.json("gates")["gates"]
    refused = cli("decide", gate["id"], '{"answer": "perhaps"}', "--json")
    assert refused.error["code"] == "invalid_answer"
    assert cli.json("show", in_doubt)["effects"][0]["status"] == "in_doubt"
