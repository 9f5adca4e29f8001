"""The whole refund desk in one go, on durable runs.

    make demo

It starts the services, queues a run for each ticket of the inbox, has a worker drive them, and
shows what came of it and which gates wait. Decide them with the command it names and call it again:
each ticket's run is named by a key, so it goes on where it stands.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# LangGraph reads it when it is first imported.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from penstock.checkpoints import Checkpointer, Store, migrate
from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.graphs import Catalog
from penstock.runs import Runtime
from world import World

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("REFUND_DESK_HOME") or ".refund_desk").resolve()
STORE_URL = f"sqlite:///{HOME / 'penstock.db'}"
GRAPH = "refund_desk"
DEADLINE_S = 120
LOOK_S = 0.1

WORKER = (sys.executable, "-m", "penstock.ui", "worker")
WORKER_FINDS = {
    "REFUND_DESK_HOME": str(HOME),
    "PENSTOCK_STORE_URL": STORE_URL,
    "PENSTOCK_GRAPHS": str(HERE / "langgraph.json"),
}


def main() -> None:
    """Start the services, and work through the inbox while they run."""
    with World(HOME) as world:
        migrate(STORE_URL)
        with Store.open(STORE_URL) as store:
            asyncio.run(work(world, store, Console()))


async def work(world: World, store: Store, console: Console) -> None:
    """Work through the inbox as far as it goes without a person."""
    catalog = Catalog.load(HERE / "langgraph.json")
    runtime = Runtime(store, Checkpointer(store), catalog)
    runs = [
        await runtime.start(GRAPH, {"ticket": ticket}, actor="demo", key=ticket)
        for ticket in world.tickets
    ]
    runs = await drive(runtime, runs, console)
    await show(runtime, dict(zip(world.tickets, runs, strict=True)), world, console)


async def drive(runtime: Runtime, runs: Sequence[Run], console: Console) -> Sequence[Run]:
    """Have a worker drive the runs until each is over or waits; return them as they are then."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    log = (HOME / "worker.log").open("a")
    with log, Progress(*columns, console=console) as progress:
        bar = progress.add_task("tickets", total=len(runs))
        worker = await asyncio.create_subprocess_exec(
            *WORKER, stdout=log, stderr=log, env={**os.environ, **WORKER_FINDS}
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    runs = [await runtime.get(run.id) for run in runs]
                    resting = [run for run in runs if _rests(run)]
                    progress.update(bar, completed=len(resting))
                    if len(resting) == len(runs):
                        return runs
                    if worker.returncode is not None:
                        sys.exit(f"the worker ended; {HOME / 'worker.log'} says why")
                    await asyncio.sleep(LOOK_S)
        finally:
            if worker.returncode is None:
                worker.terminate()
            await worker.wait()


def _rests(run: Run) -> bool:
    return run.status in ENDED or run.status is RunStatus.WAITING


async def show(runtime: Runtime, runs: dict[str, Run], world: World, console: Console) -> None:
    """Show what came of each ticket, what really happened, and what to type next."""
    table = Table(title="The inbox")
    for heading in ("ticket", "run", "outcome", "paid back", "mails"):
        table.add_column(heading, justify="right" if heading in {"paid back", "mails"} else "left")
    mails = world.evidence.mail_counts()
    waiting: list[Gate] = []
    for ticket, run in runs.items():
        outcome = ""
        if run.status is RunStatus.SUCCEEDED:
            result: Any = await runtime.result(run)
            outcome = result["outcome"]
        elif run.failure is not None:
            outcome = run.failure.message
        opened = [g for g in await runtime.gates(run.id) if g.status is GateStatus.OPEN]
        waiting += opened
        paid = world.evidence.refunded_cents(ticket)
        table.add_row(
            ticket,
            run.status,
            f"{len(opened)} gate open" if opened else outcome,
            f"{paid / 100:.2f}" if paid else "",
            str(mails[ticket] or ""),
        )
    console.print(table)
    problems = world.evidence.problems()
    console.print("\n".join(problems) or "Nothing was paid or mailed twice.")
    await show_doubts(runtime, {run.id: ticket for ticket, run in runs.items()}, console)
    if not waiting:
        console.print("No gate waits. Remove the folder to begin anew:", f"rm -r {_short(HOME)}")
        return
    console.print("\nThese gates wait for you:")
    for gate in waiting:
        line = f"  {gate.id}  {_asked(gate)}"
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    command = Path(sys.executable).with_name("penstock")
    is_doubt = waiting[0].kind is GateKind.IN_DOUBT
    answer = '{"answer": "retry"}' if is_doubt else '{"approved": true}'
    console.print("\nDecide one, and go on:")
    for line in (
        f"  export PENSTOCK_STORE_URL={STORE_URL}",
        f"  export PENSTOCK_GRAPHS={HERE / 'langgraph.json'}",
        f"  {_short(command)} decide {waiting[0].id} '{answer}'",
        "  make demo",
    ):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


async def show_doubts(runtime: Runtime, tickets: dict[RunId, str], console: Console) -> None:
    """Show the calls of which nobody knows whether they happened, if there are any."""
    doubtful = await runtime.effects(statuses=[EffectStatus.IN_DOUBT])
    if not doubtful:
        return
    table = Table(title="Calls in doubt")
    for heading in ("ticket", "tool", "attempt", "may land until", "why"):
        table.add_column(heading)
    for effect in doubtful:
        table.add_row(
            tickets.get(effect.run_id, effect.run_id),
            effect.tool,
            str(effect.attempt),
            f"{effect.settles_at:%H:%M:%S} UTC",
            effect.error_message,
        )
    console.print(table)
    console.print("What can be looked up is looked up after that: call it again.")


def _asked(gate: Gate) -> str:
    asked = json.loads(gate.question)
    if gate.kind is GateKind.IN_DOUBT:
        return f"Did `{asked['did_it_happen']}` happen? ({asked['why_in_doubt']})"
    return f"{asked['question']} ({asked['ticket']}: {asked['why']})"


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    main()
