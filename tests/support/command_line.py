"""A project for the command line, and the command line itself."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from typer.testing import CliRunner

from penstock.checkpoints.schema import audit_events, gates, runs
from penstock.ui.cli.app import app
from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import import_path
from support.projects import Project

GRAPHS = """
import asyncio
import operator
import os
import time
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from penstock.nodes import tool
from pydantic import BaseModel

HERE = Path(__file__).parent


class State(TypedDict, total=False):
    name: str
    steps: Annotated[list[str], operator.add]


class Approval(BaseModel):
    approved: bool


def one(state: State) -> State:
    print("a node prints")
    return {"steps": ["one"]}


def two(state: State) -> State:
    return {"steps": ["two"]}


def ask(state: State) -> State:
    said = interrupt({"may I": state["name"]}, response_schema=Approval)
    return {"steps": [str(Approval.model_validate(said).approved)]}


def fail(state: State) -> State:
    if (HERE / "mended").exists():
        return {"steps": ["mended"]}
    raise ValueError("the shop is closed")


async def linger(state: State) -> State:
    (HERE / "entered").touch()
    while not (HERE / "go_on").exists():
        await asyncio.sleep(0.02)
    return {"steps": ["lingered"]}


def block(state: State) -> State:
    (HERE / "entered").touch()
    time.sleep(100)
    return {}


async def block_loop(state: State) -> State:
    return block(state)


def of(*nodes):
    graph = StateGraph(State)
    before = START
    for node in nodes:
        graph.add_node(node.__name__, node)
        graph.add_edge(before, node.__name__)
        before = node.__name__
    return graph.compile()


@tool(effect="unsafe", description="Pay.", timeout_s=3, margin_s=0.0)
async def pay(amount: int) -> str:
    raise ConnectionError("the answer was lost")


async def buy(state: State) -> State:
    return {"steps": [await pay(amount=5)]}


buying = of(buy)
chain, asking, failing, slow = of(one, two), of(ask, two), of(one, fail), of(one, linger)
stuck = of(block_loop)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The JSON document of its error."""
        return json.loads(self.err)["error"]


class CommandLine:
    """A folder with a project and a store, and the commands that act there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "penstock.db"
        self.project = Project(folder)

    def make_project(self) -> None:
        """Write the project."""
        self.project.write("graphs.py", GRAPHS)
        names = ("chain", "asking", "failing", "slow", "stuck", "buying")
        self.project.manifest({name: f"./graphs.py:{name}" for name in names})

    def __call__(self, *typed: str, given: str | None = None) -> Answer:
        """Run a command in this process."""
        result = CliRunner().invoke(app, typed, input=given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(code=result.exit_code, out=result.stdout, err=result.stderr)

    def json(self, *typed: str) -> Any:
        """Run a command that succeeds and return its JSON document."""
        answer = self(*typed, "--json")
        assert answer.code == 0, answer.err
        return answer.data

    def start(self, graph: str, *options: str) -> str:
        """Queue a run and return its id."""
        return self.json("run", graph, '{"name": "Ada"}', *options)["run"]["id"]

    def status(self, run_id: str) -> str:
        """Return the state of a run."""
        return self.json("show", run_id)["run"]["status"]

    def process(self, *typed: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command as a process of its own."""
        return subprocess.Popen(
            tied_to_parent([sys.executable, "-m", "penstock.ui", *typed]),
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": import_path(), **variables},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that the store holds about runs, gates and what happened."""
        if not self.store.exists():
            return {}
        engine = create_engine(f"sqlite:///{self.store}")
        try:
            with engine.connect() as connection:
                return {
                    table.name: [tuple(row) for row in connection.execute(table.select())]
                    for table in (runs, gates, audit_events)
                }
        finally:
            engine.dispose()


def until_there(file: Path, process: "subprocess.Popen[str]", *, within_s: float = 90) -> None:
    """Wait for a file that a process makes."""
    ends = time.monotonic() + within_s
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends, f"{file.name} was not made in time"
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue


def ended(process: "subprocess.Popen[str]", *, within_s: float = 90) -> Answer:
    """Wait for a process to end; it is killed where it does not."""
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    return Answer(code=process.returncode, out=out, err=err)
