"""A run that is forgotten is found nowhere in the files of its store, and the audit still holds."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.allowing import DESK
from support.command_line import CommandLine
from support.databases import migrated_sqlite

CANARY = "canary-4711-" * 3
PAYING = """
import operator
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from penstock.graphs import declare
from penstock.nodes import tool


class State(TypedDict, total=False):
    amount: int
    memo: str
    said: Annotated[list[str], operator.add]


@tool(effect="unsafe", tags={"money"})
async def pay(amount: int, memo: str) -> str:
    \"\"\"Pay somebody.\"\"\"
    return f"paid {amount} for {memo * (1 if amount < 7 else 2000)}"


async def act(state: State) -> State:
    return {"said": [await pay(amount=state["amount"], memo=state["memo"])]}


async def tell(state: State) -> State:
    return {"said": [state["memo"][::-1][::-1]]}


builder = StateGraph(State)
builder.add_node("act", act)
builder.add_node("tell", tell)
builder.add_edge(START, "act")
builder.add_edge("act", "tell")
graph = declare(builder, name="desk", tools=[pay])
"""


@pytest.fixture
def desk(empty: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A project whose only graph pays, under a policy that asks about large amounts."""
    empty.project.write("paying.py", PAYING)
    empty.project.manifest({"desk": "./paying.py:graph"})
    monkeypatch.setenv("PENSTOCK_POLICY", str(DESK))
    migrated_sqlite(empty.folder)
    return empty


def run(desk: CommandLine, amount: int, memo: str, *more: str) -> Any:
    given = f'{{"amount": {amount}, "memo": "{memo}"}}'
    return desk("run", "desk", given, "--wait", "--json", *more).data["run"]


def is_anywhere(folder: Path, text: str) -> bool:
    """Tell whether the files of the store hold a text."""
    return any(text.encode() in file.read_bytes() for file in folder.glob("penstock.db*"))


def test_nothing_of_a_run_that_is_forgotten_is_left_in_the_files(
    desk: CommandLine, tmp_path: Path
) -> None:
    run(desk, 1, "another")
    small, large = run(desk, 5, CANARY), run(desk, 8, CANARY)
    asked = run(desk, 900, CANARY)
    (gate,) = desk.json("gates")["gates"]
    assert desk("decide", gate["id"], "reject", "--reason", CANARY).code == 0
    assert desk("cancel", asked["id"], "--reason", CANARY).code == 0
    run(desk, 2, "another")
    assert is_anywhere(tmp_path, CANARY)
    for each in (small, large, asked):
        assert desk("forget", each["id"]).code == 0
    assert not is_anywhere(tmp_path, CANARY)
    assert is_anywhere(tmp_path, "another")
    said = desk("audit", "verify")
    assert said.code == 0, said.out
    events = desk.json("show", small["id"])["history"]
    assert [event["action"] for event in events][-1] == "run.forgotten"
    assert [each["status"] for each in desk.json("effects", "--run", small["id"])["effects"]] == [
        "succeeded"
    ]


def test_the_key_of_a_run_that_is_forgotten_is_gone(desk: CommandLine, tmp_path: Path) -> None:
    done = run(desk, 5, CANARY)
    wanted = "SELECT count(*) FROM run_keys WHERE run_id = ?"
    with closing(sqlite3.connect(tmp_path / "penstock.db")) as store:
        assert store.execute(wanted, (done["id"],)).fetchone() == (1,)
    desk("forget", done["id"])
    with closing(sqlite3.connect(tmp_path / "penstock.db")) as store:
        assert store.execute(wanted, (done["id"],)).fetchone() == (0,)


def test_the_report_says_what_each_store_did(desk: CommandLine) -> None:
    done = run(desk, 5, CANARY)
    (report,) = desk.json("forget", done["id"])["runs"]
    erased = {each["store"]: each["erased"] for each in report["stores"]}
    assert erased.pop("checkpoints") > 0
    assert erased == {
        "run": 1,
        "effects": 1,
        "gates": 0,
        "decisions": 1,
        "audit": 0,
        "files of the store": 0,
    }
    again = desk("forget", done["id"]).out
    assert "is forgotten" in again


def test_the_state_of_a_thread_goes_with_the_last_of_its_runs(
    desk: CommandLine, tmp_path: Path
) -> None:
    first = run(desk, 5, CANARY, "--thread", "shared")
    second = run(desk, 5, CANARY, "--thread", "shared")
    said = desk("forget", first["id"]).out
    assert f"thread `shared` is also of run `{second['id']}`" in said
    assert is_anywhere(tmp_path, CANARY)
    assert desk("forget", second["id"], "--thread").code == 0
    assert not is_anywhere(tmp_path, CANARY)


def test_a_run_that_is_not_over_is_not_forgotten(desk: CommandLine) -> None:
    asked = run(desk, 900, CANARY)
    before = desk.rows()
    refused = desk("forget", asked["id"])
    assert refused.code == 3
    assert "only a run that is over can; cancel it first" in refused.err
    assert desk.rows() == before
