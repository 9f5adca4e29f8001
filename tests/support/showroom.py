"""A store with something to look at: the refund desk, and a run in every other state.

People look at it with `make pictures`; tests that are about looks open it too.
"""

import asyncio
import getpass
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from penstock.checkpoints import Checkpointer, Store
from penstock.checkpoints.schema import gates, runs
from penstock.contracts.gate import Channel, GateStatus
from penstock.contracts.run import Run, RunMode, RunStatus
from penstock.graphs import Catalog
from penstock.policies import Directory
from penstock.runs import Approvals, Runtime
from support.checkout import ROOT, import_path
from support.databases import migrated_sqlite
from support.projects import Project
from support.rooms import ALLOW, GATES, GRAPHS, WITHIN_S, started

DESK = ROOT / "examples" / "refund_desk"
WHO = "mia"
"""Who looks: she is in every group, so she is offered whatever can be done."""

MORE = """

async def fail(state: Order) -> Order:
    raise ValueError(f"order {state['order']} is in no shop")


async def first(state: Order) -> Order:
    return {"said": "looked up"}


async def then(state: Order) -> Order:
    return {"said": "and done"}


failing = of(fail, "failing", description="Never finds its order.")
twice = StateGraph(Order).add_node("first", first).add_node("then", then)
twice = twice.add_edge(START, "first").add_edge("first", "then")
capped = declare(
    twice,
    name="capped",
    policy=HERE / "open",
    description="May take one step of two.",
    budget=Budget(steps=1, on_exhaustion=OnExhaustion.GATE),
)
"""
PEOPLE = """
[users.{who}]
roles = ["clerk"]
scopes = ["*"]
groups = ["finance", "operators", "admins", "break-glass"]
logins = ["{login}"]
[users.demo]
roles = ["clerk"]
scopes = ["*"]
[users.ada]
roles = ["clerk"]
scopes = ["*"]
[users.fay]
groups = ["finance"]
[users.finn]
groups = ["finance"]
[users.vera]
[agents.paying]
[agents.refund_desk]
scopes = ["payments:write"]
"""


def project(folder: Path) -> dict[str, str]:
    """Write a project with the graphs of both, and an empty store; return what names them."""
    ours = Project(folder)
    imports = "from penstock.contracts.budget import Budget, OnExhaustion\n"
    ours.write("shown.py", f"{imports}{GRAPHS}{MORE}")
    ours.write("policy/allow/all.cedar", ALLOW)
    ours.write("policy/gates/pay.cedar", GATES)
    ours.write("open/allow/all.cedar", ALLOW)
    ours.write("people.toml", PEOPLE.format(who=WHO, login=getpass.getuser()))
    own = ("paying", "wiring", "asking", "slow", "failing", "capped")
    graphs = {name: f"./shown.py:{name}" for name in own}
    graphs["refund_desk"] = f"{DESK / 'desk' / 'graph.py'}:graph"
    ours.manifest(graphs, dependencies=[".", os.path.relpath(DESK, folder)])
    url = migrated_sqlite(folder)
    return {
        "PENSTOCK_STORE_URL": url,
        "PENSTOCK_GRAPHS": str(folder / "langgraph.json"),
        "PENSTOCK_PEOPLE": str(folder / "people.toml"),
        "PENSTOCK_ACTOR": WHO,
        "PENSTOCK_WORKER_POLL_S": "0.1",
        "REFUND_DESK_HOME": str(folder),
    }


@contextmanager
def filled(folder: Path) -> Generator[dict[str, str]]:
    """Give the settings of a project with runs in every state, while a worker is there."""
    told = project(folder)
    subprocess.run(
        [sys.executable, str(DESK / "demo.py")],
        env={**os.environ, "PYTHONPATH": import_path(), "REFUND_DESK_HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    with started(folder, told, "worker"):
        asyncio.run(_fill(folder, told["PENSTOCK_STORE_URL"]))
        yield told


async def _fill(folder: Path, url: str) -> None:
    catalog, people = (
        Catalog.load(folder / "langgraph.json"),
        Directory.load(folder / "people.toml"),
    )
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog, people=people)

        async def begin(
            graph: str, order: str, *until: RunStatus, mode: RunMode = RunMode.LIVE
        ) -> Run:
            given = {"order": order, "cents": 12_900}
            return await _until(
                runtime, await runtime.start(graph, given, actor="ada", mode=mode), *until
            )

        await begin("wiring", "W-1", RunStatus.WAITING)
        await begin("asking", "Q-1", RunStatus.WAITING)
        await begin("capped", "B-1", RunStatus.WAITING)
        await begin("paying", "P-1", RunStatus.WAITING)
        paid = await begin("paying", "P-2", RunStatus.WAITING)
        (gate,) = await runtime.gates(paid.id)
        approvals = Approvals(store, catalog, people=people)
        await approvals.approve(gate.id, by="fay", binding=gate.binding or "", channel=Channel.API)
        await begin("paying", "S-1", *RunStatus, mode=RunMode.SIMULATE)
        await begin("failing", "F-1", RunStatus.FAILED)
        await begin("slow", "R-1", RunStatus.RUNNING)
        paused = await begin("slow", "L-1", RunStatus.RUNNING)
        await runtime.pause(paused.id, by="ada")
        stopped = await begin("slow", "C-1", RunStatus.RUNNING)
        await runtime.cancel(stopped.id, by="ada", reason="it was meant for tomorrow")
        await _until(runtime, stopped, RunStatus.CANCELLED)


async def _until(runtime: Runtime, run: Run, *statuses: RunStatus) -> Run:
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = await runtime.get(run.id)
            if found.status in statuses:
                return found
            await asyncio.sleep(0.05)


def addresses(url: str) -> dict[str, str]:
    """Return the pages about one thing, one for each state: a name, and the page with its query."""
    with Store.open(url) as store:
        asked = store.read_blocking(
            lambda connection: (
                connection.execute(select(runs.c.id, runs.c.status, runs.c.mode)).all(),
                connection.execute(select(gates.c.id, gates.c.kind, gates.c.status)).all(),
            )
        )
    found: dict[str, str] = {}
    for run_id, status, mode in asked[0]:
        name = f"run-{status}" if mode == RunMode.LIVE else f"run-{mode}"
        found.setdefault(name, f"run?run={run_id}")
    for gate_id, kind, status in asked[1]:
        name = kind if status == GateStatus.OPEN else status
        found.setdefault(f"gate-{name}", f"gate?gate={gate_id}")
    for view in ("text", "versions", "try"):
        found[f"policies-{view}"] = f"policies?graph=refund_desk&view={view}"
    found["policies-rule"] = "policies?graph=refund_desk&rule=above-limit"
    found["tool"] = "tools?tool=pay&of=refund_desk"
    return found
