"""A worker for the retail tasks of tau-bench, whose world kills it before and after its calls.

A program: `tau_worker.py --server URL --db FILE --idem key|none [--report FILE]`. The world serves
the tasks over HTTP; each becomes a run that makes the task's calls in their order, one a step. It
is started again after each death, with the same file, and exits with 0 when every run has succeeded
or waits because nobody knows whether a call of it happened. The report says which.

`--idem key` tells the world each call's key, by which it knows a call again. With `none` it knows
nothing again: what changes something is then unsafe.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypedDict

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import httpx
from langgraph.graph import END, START, StateGraph
from pydantic import JsonValue

from penstock.checkpoints import Checkpointer, Store, migrate
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import Catalog, declare
from penstock.nodes import IdempotencyKey, Retryable, RetryAfter, RetryPlan, Tool, tool
from penstock.runs import LocalEngine, Pace, Runtime, Worker
from support.allowing import OPEN

GRAPH = "retail"
# The world kills more often than any worker should bear, and each time for another run's sake.
PACE = Pace(slots=8, beat_s=0.2, lease_s=1.0, poll_s=0.05, lost_limit=10_000)
ATTEMPTS = RetryPlan(attempt_limit=12, first_wait_s=0.01, longest_wait_s=0.2)
ANY_ATTEMPTS = RetryPlan(
    attempt_limit=12, first_wait_s=0.01, longest_wait_s=0.2, after=RetryAfter.ANY
)
LOOK_S = 0.05
DEADLINE_S = 240.0


class Action(TypedDict):
    """One call of a task."""

    tool: str
    args: dict[str, Any]
    requestor: str
    kind: str
    mutates: bool


class Task(TypedDict):
    """A task and how far it has come."""

    run: str
    actions: list[Action]
    position: int


@dataclass
class Answer:
    """What the shop says to a call; that it cannot be done is an answer too."""

    result: str
    is_error: bool


class Shop:
    """The retail tools, seen from the desk."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    def tools(self, *, with_keys: bool) -> tuple[Tool[Answer], Tool[Answer]]:
        """Return what calls a tool that changes nothing, and what calls one that does."""

        @tool(effect="read", retry=ANY_ATTEMPTS)
        async def look(run: str, name: str, args: dict[str, JsonValue], requestor: str) -> Answer:
            """Call a tool that changes nothing."""
            return await self._call(run, name, args, requestor, key=None)

        @tool(effect="keyed", name="change", retry=ANY_ATTEMPTS)
        async def change_by_key(
            run: str, name: str, args: dict[str, JsonValue], requestor: str, key: IdempotencyKey
        ) -> Answer:
            """Call a tool, under a key by which the shop knows the call again."""
            return await self._call(run, name, args, requestor, key=key)

        @tool(effect="unsafe", retry=ATTEMPTS)
        async def change(run: str, name: str, args: dict[str, JsonValue], requestor: str) -> Answer:
            """Call a tool that changes something, in a shop that knows no keys."""
            return await self._call(run, name, args, requestor, key=None)

        return (change_by_key, change_by_key) if with_keys else (look, change)

    async def tasks(self) -> list[str]:
        """Return the names of the tasks."""
        return [each["run"] for each in (await self._http.get("/runs")).json()]

    async def actions(self, run: str) -> list[Action]:
        """Return the calls that a task consists of."""
        return (await self._http.get(f"/runs/{run}")).json()["actions"]

    async def _call(
        self,
        run: str,
        name: str,
        args: dict[str, JsonValue],
        requestor: str,
        *,
        key: IdempotencyKey | None,
    ) -> Answer:
        headers = {"X-Worker-Pid": str(os.getpid())}
        if key is not None:
            headers["Idempotency-Key"] = key
        # A connection that is cut raises here: whether it happened is not known then.
        answer = await self._http.post(
            f"/runs/{run}/call",
            json={"tool": name, "args": args, "requestor": requestor},
            headers=headers,
        )
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise Retryable("the shop is overloaded")
        told = answer.raise_for_status().json()
        return Answer(result=told["result"], is_error=told["is_error"])


def catalog(shop: Shop, *, with_keys: bool) -> Catalog:
    """Return the graph that makes the calls of a task, one a step."""
    look, change = shop.tools(with_keys=with_keys)

    async def act(state: Task) -> dict[str, Any]:
        action = state["actions"][state["position"]]
        call = change if action["mutates"] else look
        await call(
            run=state["run"],
            name=action["tool"],
            args=action["args"],
            requestor=action["requestor"],
        )
        return {"position": state["position"] + 1}

    def following(state: Task) -> str:
        return "act" if state["position"] < len(state["actions"]) else END

    graph = StateGraph(Task)
    graph.add_node("act", act, metadata={"kind": "tool"})
    graph.add_conditional_edges(START, following, ["act", END])
    graph.add_conditional_edges("act", following, ["act", END])
    tools = {each.name: each for each in (look, change)}
    return Catalog.of(declare(graph, name=GRAPH, tools=tools.values()))


async def work(server: str, store: Store, *, with_keys: bool) -> dict[str, dict[str, object]]:
    """Start or go on with every task, and return what each has come to."""
    async with httpx.AsyncClient(base_url=server, timeout=30, trust_env=False) as http:
        shop = Shop(http)
        graphs = catalog(shop, with_keys=with_keys)
        saver, engine = Checkpointer(store), LocalEngine()
        runtime = Runtime(store, saver, graphs, engine=engine)
        worker = Worker(store, saver, graphs, engine=engine, pace=PACE, policy=OPEN)
        runs = await started(runtime, shop)
        working = asyncio.create_task(worker.work())
        ending = asyncio.create_task(until_all_rest(runtime, list(runs.values())))
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
        await ending
        worker.drain()
        await working
        return {name: await report(runtime, run) for name, run in runs.items()}


async def started(runtime: Runtime, shop: Shop) -> dict[str, Run]:
    """Return the runs of the tasks by their names, and start those that are missing."""
    names = await shop.tasks()
    known = await runtime.list(graph=GRAPH, limit=len(names))
    runs = {run.key: run for run in known if run.key is not None}
    for name in names:
        if name not in runs:
            given: Task = {"run": name, "actions": await shop.actions(name), "position": 0}
            runs[name] = await runtime.start(GRAPH, given, actor="tau", key=name)
    return {name: runs[name] for name in names}


async def until_all_rest(runtime: Runtime, runs: Sequence[Run]) -> None:
    """Come back when every run has ended or waits."""
    async with asyncio.timeout(DEADLINE_S):
        for run in runs:
            await runtime.wait(run.id, poll_s=LOOK_S)


async def report(runtime: Runtime, run: Run) -> dict[str, object]:
    """Return what a run has come to, and which of its calls are in doubt."""
    found = await runtime.get(run.id)
    open_gates = [g for g in await runtime.gates(run.id) if g.status is GateStatus.OPEN]
    return {
        "status": found.status,
        "failure": found.failure and found.failure.message,
        "in_doubt": [json.loads(g.question) for g in open_gates if g.kind is GateKind.IN_DOUBT],
        "epochs": found.epoch,
    }


def is_rest(told: dict[str, object]) -> bool:
    """Tell whether a run came to an end that is right, or waits for a person as it must."""
    if told["status"] == RunStatus.WAITING:
        return bool(told["in_doubt"])
    return told["status"] == RunStatus.SUCCEEDED


def main() -> int:
    """Work until nothing is left to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--idem", choices=("key", "none"), required=True)
    parser.add_argument("--report", type=Path)
    typed = parser.parse_args()
    logging.getLogger("penstock").setLevel(logging.ERROR)
    url = f"sqlite:///{typed.db}"
    if not typed.db.exists():
        migrate(url)
    with Store.open(url) as store:
        with_keys = typed.idem == "key"
        told = asyncio.run(work(typed.server, store, with_keys=with_keys))
    if typed.report is not None:
        typed.report.write_text(json.dumps(told, indent=1))
    wrong = {name: one for name, one in told.items() if not is_rest(one)}
    if wrong:
        print(json.dumps(wrong, indent=1), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
