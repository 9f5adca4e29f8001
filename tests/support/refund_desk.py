"""Driving the refund desk on durable runs."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from desk.graph import graph
from desk.settings import home
from penstock.checkpoints import Store
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from penstock.policies import People
from support.checkout import ROOT, import_path
from support.databases import migrated_sqlite
from support.shops import Shop

Question = Mapping[str, Any]
Decide = Callable[[Question], Mapping[str, Any]]
VOTERS = ("fay", "finn")
"""Who decides about payments, in this order; none of them starts runs."""


DYING = """
import asyncio, inspect, os, signal, sys
from desk import mail, shop
from desk.graph import graph
from desk.payments import Payments
from penstock.checkpoints import Checkpointer, Store
from penstock.graphs import Catalog
from penstock.runs import Pace, Worker

url, function, when = sys.argv[1:]
owner = {"refund": Payments, "send": mail}.get(function, shop)
real = getattr(owner, function)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

async def dying(*given, **named):
    if when == "before":
        die()
    await real(*given, **named)
    die()

def dying_at_once(*given, **named):
    if when == "before":
        die()
    real(*given, **named)
    die()

setattr(owner, function, dying if inspect.iscoroutinefunction(real) else dying_at_once)
with Store.open(url) as store:
    pace = Pace(beat_s=0.1, lease_s=1.0)
    asyncio.run(Worker(store, Checkpointer(store), Catalog.of(graph), pace=pace).work())
"""


def approve(question: Question) -> Mapping[str, Any]:
    """Say yes to whatever is asked."""
    return {"approved": True, "reason": f"fine, {question['order']}"}


def reject(question: Question) -> Mapping[str, Any]:
    """Say no to whatever is asked."""
    return {"approved": False, "reason": f"not {question['order']}"}


def ask_nobody(question: Question) -> Mapping[str, Any]:
    """Fail where a person is asked."""
    raise AssertionError(f"nobody should be asked: {json.dumps(question)}")


@contextmanager
def desk(*, policy: Path | None = None, people: People | None = None) -> Generator[Shop]:
    """Open the desk on durable runs, with a store in the world's folder.

    `policy` is the folder of another policy than the desk's own.
    """
    url = store_url()
    if not (home() / "penstock.db").exists():
        migrated_sqlite(home())
    ours = graph if policy is None else replace(graph, policy=policy)
    with Store.open(url) as store:
        yield Shop(store, ours, people=people)


def store_url() -> str:
    """Return the URL of that store."""
    return f"sqlite:///{home() / 'penstock.db'}"


async def work(ticket: str, decide: Decide = ask_nobody) -> dict[str, Any]:
    """Work on a ticket to its end, in a run of its own, and return the last state."""
    with desk() as shop:
        run = await shop.runtime.start(shop.graph.name, {"ticket": ticket}, actor="test")
        return await finish(shop, run, decide)


async def finish(shop: Shop, run: Run, decide: Decide = ask_nobody) -> dict[str, Any]:
    """Have a run worked on to its end, and return the last state.

    What is in doubt is left to be found out.
    """
    async with shop.worker(), asyncio.timeout(100):
        while True:
            run = await shop.until(run, *RunStatus)
            if run.status is not RunStatus.WAITING:
                assert run.status is RunStatus.SUCCEEDED, run.failure
                return await shop.values(run)
            for gate in await shop.runtime.gates(run.id):
                if gate.status is GateStatus.OPEN and gate.kind is GateKind.QUESTION:
                    answer = decide(json.loads(gate.question))
                    await shop.runtime.decide(gate.id, answer, by="test")
                elif gate.status is GateStatus.OPEN and gate.kind is GateKind.APPROVAL:
                    await _vote(shop, gate, decide(asked(gate)))
            await asyncio.sleep(0.02)


def asked(gate: Gate) -> Question:
    """Return what a gate asks about a payment, in the words of the desk's own questions."""
    shown = json.loads(gate.question)
    return {**shown["arguments"], "why": ", ".join(shown["rules"])}


async def _vote(shop: Shop, gate: Gate, answer: Mapping[str, Any]) -> None:
    """Have as many people approve as it takes, or one of them reject."""
    binding = gate.binding or ""
    if not answer["approved"]:
        reason = answer["reason"]
        await shop.approvals.reject(gate.id, by=VOTERS[0], binding=binding, reason=reason)
        return
    for person in VOTERS[: max((gate.approvals or {}).values())]:
        await shop.approvals.approve(gate.id, by=person, binding=binding)


def environment() -> dict[str, str]:
    """Return the environment of a process that works for the desk."""
    path = os.pathsep.join([import_path(), str(ROOT / "examples" / "refund_desk")])
    return {
        **os.environ,
        "LANGGRAPH_STRICT_MSGPACK": "true",
        "PYTHONPATH": path,
        "PENSTOCK_STORE_URL": store_url(),
    }


def be_killed(function: str, when: str) -> None:
    """Let a worker work that kills itself before or after a function of the desk."""
    command = [sys.executable, "-c", DYING, store_url(), function, when]
    died = subprocess.run(command, env=environment(), timeout=100, check=False)
    assert died.returncode == -signal.SIGKILL


class NotingModel(GenericFakeChatModel):
    """A chat model that notes what it was told to, as a call of the tool that it was given."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - as it is declared above
        """Take the tools and go on as before."""
        return self


def noting(**notes: Any) -> NotingModel:
    """Return a model that reads `notes` out of any ticket."""
    call = {"name": "Notes", "args": notes, "id": "call-1", "type": "tool_call"}
    return NotingModel(messages=iter([AIMessage("", tool_calls=[call])]))
