"""An agent whose worker is killed, twice, and that finishes its work all the same.

    python examples/agent_loop.py

The agent traces lost parcels: it plans, looks a parcel up, verifies what it found, and goes on to
the next; at the end it summarizes. A worker process drives it. This program kills the worker with
SIGKILL in the middle of its work, declares it dead, and starts another, which continues from the
last checkpoint. What was finished is not done again, and a worker that was declared dead can
write nothing more.
"""

import asyncio
import json
import operator
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

# LangGraph reads it when it is first imported; the workers inherit it.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from penstock.checkpoints import Checkpointer, Store, fenced, migrate, runs
from penstock.contracts.clock import SystemClock
from penstock.contracts.ids import RunId, ThreadId, WorkerId, new_run_id
from penstock.contracts.run import NewRun, Run, RunStatus, WhenBusy

PARCELS = {
    "PX-104": "held at customs in Rotterdam",
    "PX-117": "delivered to a neighbour",
    "PX-121": "returned to the sender",
    "PX-130": "on the van, due today",
    "PX-142": "damaged, claim opened",
    "PX-155": "not scanned since Monday",
}
STEP_COUNT = 3 * len(PARCELS) + 1
KILL_AFTER_STEPS = (4, 13)
LOOKUP_S = 0.12
CLOCK = SystemClock()


# ---- the agent, as its author writes it ----


class Desk(TypedDict):
    """What the agent knows."""

    messages: Annotated[list[AnyMessage], add_messages]
    parcel: str
    found: Annotated[list[str], operator.add]


def plan(state: Desk) -> dict[str, Any]:
    """Choose the next parcel that was not looked up yet."""
    parcel = next(number for number in PARCELS if not _is_found(state, number))
    return {"parcel": parcel, "messages": [AIMessage(f"I look up {parcel}.")]}


async def look_up(state: Desk) -> dict[str, Any]:
    """Ask where the parcel is; it takes a while."""
    await asyncio.sleep(LOOKUP_S)
    return {"messages": [AIMessage(f"{state['parcel']} is {PARCELS[state['parcel']]}.")]}


def verify(state: Desk) -> dict[str, Any]:
    """Note what was found."""
    return {"found": [f"{state['parcel']}: {PARCELS[state['parcel']]}"]}


def summarize(state: Desk) -> dict[str, Any]:
    """Say what came of it."""
    return {"messages": [AIMessage(f"I traced {len(state['found'])} parcels.")]}


def _is_found(state: Desk, parcel: str) -> bool:
    return any(line.startswith(parcel) for line in state["found"])


def _more(state: Desk) -> str:
    return "plan" if len(state["found"]) < len(PARCELS) else "summarize"


def build() -> Any:
    """Return the graph."""
    graph: Any = StateGraph(Desk)
    for node in (plan, look_up, verify, summarize):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "look_up")
    graph.add_edge("look_up", "verify")
    graph.add_conditional_edges("verify", _more)
    graph.add_edge("summarize", END)
    return graph


# ---- the worker: a process that claims the run and drives it ----


async def work(url: str, run_id: RunId) -> None:
    """Claim the run, drive it from its last checkpoint to its end, and tell each step."""
    worker = WorkerId(f"worker-{os.getpid()}")
    with Store.open(url) as store:
        run = await store.write(lambda c: runs.claim(c, run_id, worker, lease_s=60, at=CLOCK.now()))
        if run is None:
            sys.exit(f"run `{run_id}` is not queued")
        fence = run.fence
        graph = build().compile(checkpointer=Checkpointer(store))
        config = fenced({"configurable": {"thread_id": run.thread_id, "run_id": run.id}}, fence)
        config["recursion_limit"] = 2 * STEP_COUNT
        begun = (await graph.aget_state(config)).metadata is not None
        question: Any = {"messages": [HumanMessage("Where are my parcels?")], "found": []}
        async for event in graph.astream(
            None if begun else question, config, stream_mode="debug", durability="sync"
        ):
            if event["type"] == "task":
                print(json.dumps({"node": event["payload"]["name"]}), flush=True)
            elif event["type"] == "checkpoint":
                print(json.dumps({"step": event["payload"]["metadata"]["step"]}), flush=True)
        await store.write(
            lambda c: runs.move(c, fence, RunStatus.SUCCEEDED, at=CLOCK.now(), actor=worker)
        )


# ---- the demonstration ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What one worker did."""

    worker: str
    nodes: list[str]
    stored: list[int]
    """The steps whose checkpoints it stored; -1 is the run's input."""
    killed: bool


def main() -> None:
    """Queue a run, kill its workers, and show what came of it."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="penstock-demo-") as folder:
        url = f"sqlite:///{Path(folder) / 'penstock.db'}"
        migrate(url)
        new = NewRun(
            id=new_run_id(CLOCK.now()),
            tenant="demo",
            key=None,
            thread_id=ThreadId("parcels"),
            graph="agent_loop",
            graph_version="1",
            fingerprint="1",
            input="{}",
        )
        with Store.open(url) as store:
            store.write_blocking(
                lambda c: runs.create(c, new, when_busy=WhenBusy.WAIT, at=CLOCK.now(), actor="demo")
            )
            console.print(f"Run [bold]{new.id}[/] is queued in {url}\n")
            lives = list(live(store, url, new.id, console))
            run = store.read_blocking(lambda c: runs.get(c, new.id))
            state: Any = build().compile(checkpointer=Checkpointer(store))
            values = state.get_state({"configurable": {"thread_id": new.thread_id}}).values
        show(console, run, lives, values)


def live(store: Store, url: str, run_id: RunId, console: Console) -> Iterator[Life]:
    """Start workers until the run is over, killing each where it is due."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("steps stored", total=STEP_COUNT)
        newest = -2
        for kill_at in (*KILL_AFTER_STEPS, None):
            life = _one_life(url, run_id, kill_at, newest, progress, bar)
            newest = max(newest, *life.stored)
            yield life
            if kill_at is None:
                return
            run = store.read_blocking(lambda c: runs.get(c, run_id))
            store.write_blocking(
                lambda c, fence=run.fence: runs.move(
                    c, fence, RunStatus.QUEUED, at=CLOCK.now(), actor="demo"
                )
            )


def _one_life(
    url: str, run_id: RunId, kill_at: int | None, newest: int, progress: Progress, bar: Any
) -> Life:
    command = [sys.executable, __file__, "work", url, run_id]
    nodes: list[str] = []
    stored: list[int] = []
    killed = False
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        worker = f"worker-{process.pid}"
        progress.console.print(f"{worker} claims the run")
        for line in process.stdout or ():
            event = json.loads(line)
            if "node" in event:
                nodes.append(event["node"])
                if stored and stored[-1] == kill_at:
                    process.send_signal(signal.SIGKILL)
                    progress.console.print(f"[red]{worker} is killed inside `{nodes[-1]}`[/]")
                    killed = True
                    break
            elif event["step"] > newest:
                stored.append(event["step"])
                progress.update(bar, completed=max(event["step"], 0))
    if not killed and process.returncode != 0:
        sys.exit(f"{worker} ended with {process.returncode}")
    return Life(worker=worker, nodes=nodes, stored=stored, killed=killed)


def show(console: Console, run: Run, lives: list[Life], values: dict[str, Any]) -> None:
    """Show who did what, and what came of it."""
    table = Table(title="Who did what")
    for heading in ("worker", "began", "stored", "end"):
        table.add_column(heading, justify="right" if heading in {"began", "stored"} else "left")
    for life in lives:
        began, stored = str(len(life.nodes)), str(len(life.stored))
        end = f"killed inside {life.nodes[-1]}" if life.killed else "finished"
        table.add_row(life.worker, f"{began} nodes", f"{stored} checkpoints", end)
    console.print()
    console.print(table)
    for line in values["found"]:
        console.print(f"  {line}")
    answer = values["messages"][-1].content
    console.print(f"  [bold]{answer}[/]\n")
    begun = sum((Counter(life.nodes) for life in lives), Counter[str]())
    again = begun.total() - STEP_COUNT
    console.print(
        f"The run {run.status} at epoch {run.epoch}. Of {STEP_COUNT} steps, {again} were begun a"
        " second time: those in which a worker was killed."
    )
    if run.status is not RunStatus.SUCCEEDED or again > len(KILL_AFTER_STEPS):
        sys.exit("This is not how it should have ended.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        asyncio.run(work(sys.argv[2], RunId(sys.argv[3])))
    else:
        main()
