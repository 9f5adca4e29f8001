"""The whole refund desk in one go, on durable runs.

    make demo

It starts the services, queues a run for each ticket of the inbox, has a worker drive them, and
shows what came of it and which gates wait for whom. Decide them with the commands it names and call
it again: each ticket's run is named by a key, so it goes on where it stands.
"""

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

# LangGraph reads it when it is first imported.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from desk.letters import money
from penstock.checkpoints import Checkpointer, Store, migrate
from penstock.contracts.clock import SystemClock
from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.graphs import Catalog
from penstock.runs import Runtime
from traced import Traces
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
    console = Console()
    with Traces.shown(HOME, console) as traces:
        with World(HOME) as world:
            migrate(STORE_URL)
            with Store.open(STORE_URL) as store:
                asyncio.run(work(world, store, console, traces))
        traces.wait(console)


async def work(world: World, store: Store, console: Console, traces: Traces) -> None:
    """Work through the inbox as far as it goes without a person."""
    catalog = Catalog.load(HERE / "langgraph.json")
    runtime = Runtime(store, Checkpointer(store), catalog)
    runs = [
        await runtime.start(GRAPH, {"ticket": ticket}, actor="demo", key=ticket)
        for ticket in world.tickets
    ]
    runs = await drive(runtime, runs, console, traces)
    by_ticket = dict(zip(world.tickets, runs, strict=True))
    await show(runtime, by_ticket, world, console)
    tell = traces.told(GRAPH, by_ticket, begin_anew=f"rm -r {_short(HOME)}")
    console.print(tell, soft_wrap=True)


async def drive(
    runtime: Runtime, runs: Sequence[Run], console: Console, traces: Traces
) -> Sequence[Run]:
    """Have a worker drive the runs until each is over or waits; return them as they are then."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    log = (HOME / "worker.log").open("a")
    with log, Progress(*columns, console=console) as progress:
        bar = progress.add_task("tickets", total=len(runs))
        worker = await asyncio.create_subprocess_exec(
            *WORKER, stdout=log, stderr=log, env={**traces.variables, **os.environ, **WORKER_FINDS}
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
    tickets = {run.id: ticket for ticket, run in runs.items()}
    await show_doubts(runtime, tickets, console)
    if not waiting:
        console.print("No gate waits. Remove the folder to begin anew:", f"rm -r {_short(HOME)}")
        return
    show_gates(waiting, tickets, console)


def show_gates(gates: Sequence[Gate], tickets: dict[RunId, str], console: Console) -> None:
    """Show what is asked, of whom and how long, and what to type."""
    tell = partial(console.print, soft_wrap=True, markup=False, highlight=False)
    command = f"{_short(Path(sys.executable).with_name('penstock'))} decide"
    tell("\nThese gates wait for people:")
    for gate in gates:
        tell(f"\n  {tickets[gate.run_id]}: {_asked(gate)}")
        tell(f"    {_of_whom(gate)}")
        tell(f"    {command} {gate.id} {_answer(gate)}")
    tell("\nDecide them, and go on:\n")
    tell(f"  export PENSTOCK_STORE_URL={STORE_URL}")
    tell(f"  export PENSTOCK_GRAPHS={HERE / 'langgraph.json'}")
    tell(f"  {command} {gates[0].id} {_answer(gates[0])}")
    tell("  make demo")
    payment = next((gate for gate in gates if gate.kind is GateKind.APPROVAL), None)
    if payment is not None:
        arguments = json.loads(payment.question)["arguments"]
        less = shlex.quote(json.dumps(arguments | {"cents": arguments["cents"] // 2}))
        tell("\nOr say no to a payment, or make it less, which somebody else (`--as`) approves:\n")
        tell(f"  {command} {payment.id} reject --reason 'the box was never opened'")
        tell(f"  {command} {payment.id} edit {less}")


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
    match gate.kind:
        case GateKind.IN_DOUBT:
            return f"Did `{asked['did_it_happen']}` happen? ({asked['why_in_doubt']})"
        case GateKind.APPROVAL:
            call = asked["arguments"]
            return f"May `pay` give back {money(call['cents'])} for order {call['order']}?"
        case _:
            return f"{asked['question']} ({asked['why']})"


def _of_whom(gate: Gate) -> str:
    """Say who decides at a gate, how long they have, and which policies want it."""
    if gate.approvals is None or gate.expires_at is None:
        return "asks whoever the run acts for, or one of operators"
    people = " and ".join(f"{count} of {group}" for group, count in gate.approvals.items())
    minutes = int((gate.expires_at - SystemClock().now()).total_seconds()) // 60
    rules = ", ".join(json.loads(gate.question)["rules"])
    return f"asks {people} within {minutes // 60} h {minutes % 60} min, because of {rules}"


def _answer(gate: Gate) -> str:
    match gate.kind:
        case GateKind.IN_DOUBT:
            return """'{"answer": "retry"}'"""
        case GateKind.APPROVAL:
            return "approve"
        case _:
            return """'{"approved": true}'"""


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    main()
