"""`penstock effects`, and deciding about a call in doubt."""

import time
from collections.abc import Callable

import pytest

from support.command_line import CommandLine

PROBED = """
from pathlib import Path
from typing import TypedDict

from langgraph.graph import START, StateGraph
from penstock.nodes import Happened, Unknown, tool

HERE = Path(__file__).parent


class State(TypedDict, total=False):
    said: str


async def look_up(amount: int) -> Happened | Unknown:
    return Happened("found") if (HERE / "found").exists() else Unknown("the bank is closed")


@tool(effect="probe", probe=look_up, description="Pay.", timeout_s=3, margin_s=0.0)
async def pay(amount: int) -> str:
    raise ConnectionError("the answer was lost")


async def buy(state: State) -> State:
    return {"said": await pay(amount=5)}


graph = StateGraph(State).add_node("buy", buy).add_edge(START, "buy").compile()
"""


@pytest.fixture
def in_doubt(cli: CommandLine) -> str:
    """A run that waits because nobody knows whether its payment happened."""
    return cli("run", "buying", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that takes moments."""
    ends = time.monotonic() + 90
    while not is_so():
        assert time.monotonic() < ends


def drive(cli: CommandLine, run: str) -> None:
    """Have a worker bring a run to its end."""
    process = cli.process("worker", PENSTOCK_ACTOR="ann")
    try:
        until(lambda: cli.status(run) == "succeeded")
    finally:
        process.terminate()
        process.communicate(timeout=90)


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
    drive(cli, in_doubt)
    assert cli.json("show", in_doubt)["result"]["steps"] == ["by phone"]


def test_a_doubt_is_not_decided_by_an_answer_that_is_none(cli: CommandLine, in_doubt: str) -> None:
    (gate,) = cli.json("gates")["gates"]
    refused = cli("decide", gate["id"], '{"answer": "perhaps"}', "--json")
    assert refused.error["code"] == "invalid_answer"
    assert cli.json("show", in_doubt)["effects"][0]["status"] == "in_doubt"


def test_a_doubt_is_looked_up_when_somebody_asks_for_it(empty: CommandLine) -> None:
    empty.project.write("wiring.py", PROBED)
    empty.project.manifest({"wiring": "./wiring.py:graph"})
    empty("migrate")
    run = empty("run", "wiring", "{}", "--wait", "--json").data["run"]["id"]
    (gate,) = empty.json("gates")["gates"]
    (empty.folder / "found").touch()
    until(lambda: empty("look-up", gate["id"], "--json").code == 0)
    drive(empty, run)
    assert empty.json("show", run)["result"]["said"] == "found"


def test_a_call_without_a_probe_is_not_looked_up(cli: CommandLine, in_doubt: str) -> None:
    (gate,) = cli.json("gates")["gates"]
    refused = cli("look-up", gate["id"], "--json")
    assert refused.error["code"] == "vote_refused"
    assert "cannot be looked up" in refused.error["message"]
    assert cli.status(in_doubt) == "waiting"
