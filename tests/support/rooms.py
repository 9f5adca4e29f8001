"""A control room for tests: a project, people, a worker and the pages, each a process."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.async_api import Page

from penstock.checkpoints import Checkpointer, Store
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import Catalog
from penstock.policies import Directory
from penstock.runs import Approvals, Runtime
from penstock.ui.accounts import Accounts
from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import import_path
from support.databases import migrated_sqlite
from support.projects import Project

PASSWORD = "a password of the tests"  # noqa: S105  (it opens nothing else)
WITHIN_S = 240.0

GRAPHS = '''
import asyncio
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from penstock.graphs import declare
from penstock.nodes import tool
from penstock.policies.facts import minor_units
from pydantic import BaseModel, Field

HERE = Path(__file__).parent


class Order(TypedDict, total=False):
    order: str
    cents: int
    urgent: bool
    said: str


class Answer(BaseModel):
    approved: bool = Field(description="Whether to go on.")
    reason: str = ""


@tool(effect="unsafe", facts={"amount": minor_units("cents", currency="EUR", is_minor=True)})
async def pay(order: str, cents: int, note: str = "") -> str:
    """Give money back."""
    with (HERE / "paid").open("a") as file:
        file.write(f"{order} {cents}\\n")
    return f"paid {cents}"


@tool(effect="unsafe", timeout_s=2, margin_s=0.0)
async def wire(order: str) -> str:
    """Wire money."""
    raise ConnectionError("the answer was lost")


async def refund(state: Order) -> Order:
    return {"said": await pay(order=state["order"], cents=state["cents"])}


async def send(state: Order) -> Order:
    return {"said": await wire(order=state["order"])}


async def ask(state: Order) -> Order:
    said = interrupt({"question": f"Send {state['order']}?"}, response_schema=Answer)
    return {"said": str(Answer.model_validate(said).approved)}


async def linger(state: Order) -> Order:
    while True:
        await asyncio.sleep(0.05)


def of(node, name, policy="open", **more):
    graph = StateGraph(Order).add_node(node.__name__, node).add_edge(START, node.__name__)
    return declare(graph, name=name, policy=HERE / policy, **more)


paying = of(refund, "paying", "policy", tools=[pay], description="Gives money back.")
wiring = of(send, "wiring", tools=[wire], description="Wires money, and loses the answer.")
asking = of(ask, "asking", description="Asks a question.")
slow = of(linger, "slow", description="Never ends.")
'''
ALLOW = """
@id("all")
permit (principal, action, resource);
"""
GATES = """
@id("above-100")
@gate("finance")
@approvals("1")
@expires("PT4H")
permit (principal, action == Penstock::Action::"pay", resource);
"""
PEOPLE = """
[users.ada]
roles = ["clerk"]
[users.fay]
groups = ["finance"]
[users.finn]
groups = ["finance"]
[users.olga]
groups = ["operators"]
[users.alma]
groups = ["admins"]
[users.vera]
[agents.paying]
"""
WHO = ("ada", "alma", "fay", "finn", "olga", "vera")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A control room that runs."""

    folder: Path
    url: str
    store: Store
    runtime: Runtime
    approvals: Approvals

    async def run(self, graph: str, *, until: RunStatus = RunStatus.WAITING, **given: Any) -> Run:
        """Start a run for ada, and wait until it is in a state."""
        run = await self.runtime.start(graph, given, actor="ada")
        return await self.until(run, until)

    async def until(self, run: Run, *statuses: RunStatus) -> Run:
        """Wait until a run is in one of these states."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = await self.runtime.get(run.id)
                if found.status in statuses:
                    return found
                await asyncio.sleep(0.05)

    async def until_logged(self, command: str, said: str) -> None:
        """Wait until a command has said something in its log."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                if said in (self.folder / f"{command}.log").read_text():
                    return
                await asyncio.sleep(0.05)

    async def gate(self, run: Run) -> Gate:
        """Return the open gate of a run."""
        found = await self.runtime.gates(run.id)
        (gate,) = [gate for gate in found if gate.status is GateStatus.OPEN]
        return gate

    def paid(self) -> list[str]:
        """Return what was really paid."""
        file = self.folder / "paid"
        return file.read_text().splitlines() if file.exists() else []

    async def log_in(self, page: Page, who: str, path: str = "/") -> None:
        """Log somebody in who wants to see a page, and is led to it."""
        await page.goto(self.url + path)
        await page.get_by_label("Name").fill(who)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()


def make_project(folder: Path) -> dict[str, str]:
    """Write a project with people and a store; return the settings that name them."""
    project = Project(folder)
    project.write("desk.py", GRAPHS)
    project.write("policy/allow/all.cedar", ALLOW)
    project.write("policy/gates/pay.cedar", GATES)
    project.write("open/allow/all.cedar", ALLOW)
    project.write("people.toml", PEOPLE)
    names = ("paying", "wiring", "asking", "slow")
    project.manifest({name: f"./desk.py:{name}" for name in names})
    url = migrated_sqlite(folder)
    return {
        "PENSTOCK_STORE_URL": url,
        "PENSTOCK_GRAPHS": str(folder / "langgraph.json"),
        "PENSTOCK_PEOPLE": str(folder / "people.toml"),
        "PENSTOCK_UI_ACCOUNTS": str(folder / "accounts.toml"),
        "PENSTOCK_WORKER_POLL_S": "0.1",
    }


@contextmanager
def open_room(folder: Path, **settings: str) -> Generator[Room]:
    """Have a worker and the pages run, and a runtime to begin with; people log in by a password."""
    told = {**make_project(folder), "PENSTOCK_UI_LOGIN": "password", **settings}
    accounts = Accounts(folder / "accounts.toml")
    for who in WHO:
        accounts.put(who, PASSWORD)
    with (
        started(folder, told, "worker"),
        pages(folder, told) as url,
        Store.open(told["PENSTOCK_STORE_URL"]) as store,
    ):
        catalog = Catalog.load(folder / "langgraph.json")
        people = Directory.load(folder / "people.toml")
        runtime = Runtime(store, Checkpointer(store), catalog, people=people)
        approvals = Approvals(store, catalog, people=people)
        yield Room(folder=folder, url=url, store=store, runtime=runtime, approvals=approvals)


@contextmanager
def pages(folder: Path, settings: dict[str, str], *typed: str) -> Generator[str]:
    """Have the pages be served; give their address."""
    with started(folder, settings, "ui", "--port", "0", *typed) as log:
        ends = time.monotonic() + WITHIN_S
        while " is at " not in (said := log.read_text()):
            assert time.monotonic() < ends, said
            time.sleep(0.05)  # noqa: TID251  (another process starts)
        url = said.split(" is at ")[1].split()[0]
        while not _answers(url):
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)  # noqa: TID251  (likewise)
        yield url


@contextmanager
def started(folder: Path, settings: dict[str, str], *typed: str) -> Generator[Path]:
    """Have a command run; give the file that it logs to."""
    log = folder / f"{typed[0]}.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            tied_to_parent([sys.executable, "-m", "penstock.ui", *typed]),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": import_path(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/_stcore/health", timeout=60) as answer:  # noqa: S310  (our own)
            return answer.status == 200
    except (URLError, OSError):
        return False


def question(gate: Gate) -> Any:
    """Return what a gate asks."""
    return json.loads(gate.question)
