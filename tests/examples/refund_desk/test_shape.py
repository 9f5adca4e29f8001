"""The refund desk is what a runtime expects: a graph that is found, described and plain."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.contracts.errors import InvalidInput
from penstock.graphs import Graph, input_schema, validate_input
from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import ROOT, import_path
from support.refund_desk import approve, desk, work
from world import World

EXAMPLE = ROOT / "examples" / "refund_desk"
README = (EXAMPLE / "README.md").read_text()
PATH = os.pathsep.join((import_path(), str(EXAMPLE)))
KINDS = {
    "plan": "plan",
    "look_up": "tool",
    "propose": "other",
    "gate": "other",
    "grant": "other",
    "refund": "tool",
    "mail": "tool",
    "verify": "verify",
    "summarize": "summarize",
}
TOOLS = {
    "find_order": "read",
    "note_refund": "transactional",
    "pay": "keyed",
    "settle_refund": "transactional",
    "find_payments": "read",
    "send_mail": "probe",
    "send_mail_or_ask": "unsafe",
}


@pytest.fixture(scope="module")
def graph() -> Any:
    """The graph that `langgraph.json` names, loaded by its path as LangGraph's server does."""
    named = json.loads((EXAMPLE / "langgraph.json").read_text())["graphs"]["refund_desk"]
    file, _, variable = named.partition(":")
    spec = importlib.util.spec_from_file_location("loaded_by_its_path", EXAMPLE / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, variable)


def test_graph_is_found_by_its_path_and_has_no_checkpointer(graph: Any) -> None:
    assert isinstance(graph, Graph)
    assert graph.compiled.checkpointer is None


def test_every_node_says_its_kind(graph: Graph) -> None:
    assert {name: str(kind) for name, kind in graph.kinds.items()} == KINDS


def test_every_tool_says_its_class(graph: Graph) -> None:
    assert {name: str(tool.contract.effect) for name, tool in graph.tools.items()} == TOOLS


def test_input_is_described_for_a_form(graph: Graph) -> None:
    schema: Any = input_schema(graph)
    assert schema["required"] == ["ticket"]
    assert "inbox" in schema["properties"]["ticket"]["description"]


def test_input_without_a_ticket_is_refused(graph: Graph) -> None:
    with pytest.raises(InvalidInput, match="ticket"):
        validate_input(graph, {})


async def test_state_is_plain_data(world: World) -> None:
    ended = await work(world.tickets[1], approve)
    assert json.loads(json.dumps(ended)) == ended


@pytest.mark.usefixtures("world")
async def test_question_says_what_is_decided_and_what_may_be_answered() -> None:
    with desk() as office:
        run = await office.run(given={"ticket": "09-somebody-elses-order"})
        (gate,) = await office.runtime.gates(run.id)
    asked = json.loads(gate.question)
    assert asked["question"] == "Refund 79.00 EUR for order R-10244?"
    assert asked["why"] == "not_the_buyer"
    schema = json.loads(gate.answer_schema or "{}")
    assert schema["required"] == ["approved"]
    assert set(schema["properties"]) == {"approved", "reason"}


def test_world_runs_as_a_program_until_it_is_stopped(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": PATH, "REFUND_DESK_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "world"]
    with subprocess.Popen(
        tied_to_parent(command), env=environment, stdout=subprocess.PIPE, text=True
    ) as world:
        assert world.stdout is not None
        assert world.stdout.readline().startswith("18 tickets are in")
        assert (tmp_path / "services.json").is_file()
        world.send_signal(signal.SIGTERM)
    assert world.returncode == 0
    told = subprocess.run(
        [*command, "evidence"], env=environment, capture_output=True, text=True, check=True
    )
    assert "Nothing happened twice" in told.stdout


def test_program_in_the_readme_works(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    environment = {**os.environ, "PYTHONPATH": PATH}
    environment.pop("REFUND_DESK_HOME", None)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "{'finance': 1}" in ran.stdout
    assert "Order R-10232: due, refunded 489.00 EUR as re_" in ran.stdout
    assert "Counter({'02-espresso-machine': 1})" in ran.stdout


def test_readme_says_what_every_policy_is_for() -> None:
    text = README.split("## Who may do what", 1)[1].split("## What touches", 1)[0]
    named = {
        name
        for line in text.splitlines()
        if line.startswith(("| allow", "| gates"))
        for name in re.findall(r"`([\w-]+)`", line.split("|")[2])
    }
    written = "".join(file.read_text() for file in EXAMPLE.glob("policy/*/*.cedar"))
    assert named == set(re.findall(r'^@id\("([\w-]+)"\)', written, re.MULTILINE))


def test_readme_lists_every_ticket_and_setting() -> None:
    tickets = sorted(file.stem for file in (EXAMPLE / "tickets").glob("*.txt"))
    assert re.findall(r"^\| `(\d\d-[\w-]+)`", README, re.MULTILINE) == tickets
    read = re.findall(r'environ\.get\("(\w+)"', (EXAMPLE / "desk" / "settings.py").read_text())
    assert sorted(re.findall(r"^\| `([A-Z_]+)`", README, re.MULTILINE)) == sorted(read)
